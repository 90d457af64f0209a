// Watching messages at run time: copies from the taps are sent to HOMER (HEP v3 over UDP), messages of an operator's traces to the
// log, and those of followers to them. None of it ever holds up a shard: copies that cannot be read in time are counted there and
// lost.

import { createSocket, type Socket } from 'node:dgram';
import type { Tapped, TapReader } from '../../shard/observe/tap-reader.ts';
import { formatIp, parseIp } from '../../sip/ip.ts';
import { TRANSPORT_NAMES, type TransportName } from '../../sip/sources.ts';
import { every } from '../../transport/every.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import type { HepConfig } from '../config/sections/hep-config.ts';
import type { Log } from '../process/log.ts';
import { hepPacket } from './hep.ts';

const DRAIN_MS = 20;
/** Copies handled before the event loop gets its turn. */
const DRAIN_MAX = 512;
const TRACE_S_MAX = 24 * 3600;
/** The rows with their continuation lines; a lone CR, which is an error elsewhere, ends none. */
const CREDENTIALS = /^((?:Proxy-)?Authorization(?![^\s:])[ \t]*:?)(?:[^\r\n]|\r?\n[ \t]|\r(?!\n))*/gim;

/** One AOR or address whose messages are all traced, until a time. */
export interface Trace {
  /** The AOR as user@host, or the IP address. */
  readonly name: string;
  /** Epoch ms. */
  readonly until: number;
}

/** An AOR by its key, or an address. Two names of the same AOR have the same ID. */
interface Target {
  readonly name: string;
  readonly id: string;
  readonly key?: Uint32Array;
  readonly ip?: Uint8Array;
}

/** A message for followers. */
export interface FollowedMessage {
  /** Epoch ms. */
  readonly at: number;
  /** False: it was sent, an answer or a NOTIFY of ours. */
  readonly isReceived: boolean;
  readonly transport: TransportName;
  /** The client's address, and ours. */
  readonly peer: { readonly address: string; readonly port: number };
  readonly local: { readonly address: string; readonly port: number };
  /** Without credentials. */
  readonly bytes: Uint8Array;
}

interface Follower {
  readonly target: Target;
  hear(message: FollowedMessage): void;
}

/** IDs in the order of the tap's lists. */
interface Lists {
  readonly aors: readonly string[];
  readonly sources: readonly string[];
}

export class MessageWatch {
  private readonly tap: TapReader;
  private readonly listeners: readonly ListenAddress[];
  private readonly hep: HepConfig | undefined;
  private readonly log: Log;
  private readonly traces = new Map<string, Trace & Target>();
  private readonly followers = new Set<Follower>();
  /** By their number; the rings may still hold copies by earlier lists. */
  private readonly lists = new Map<number, Lists>();
  private readonly aorKey: (aor: string) => Uint32Array | undefined;
  private socket: Socket | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param aorKey key of an AOR given as user@host or as a SIP URI; undefined where it is none */
  constructor(
    tap: TapReader,
    listeners: readonly ListenAddress[],
    hep: HepConfig | undefined,
    aorKey: (aor: string) => Uint32Array | undefined,
    log: Log,
  ) {
    this.tap = tap;
    this.listeners = listeners;
    this.hep = hep;
    this.aorKey = aorKey;
    this.log = log;
    if (hep !== undefined) this.socket = this.openSocket(hep);
    this.apply();
  }

  /** Traces in progress. */
  get active(): readonly Trace[] {
    return [...this.traces.values()].map(({ name, until }) => ({ name, until }));
  }

  /**
   * Logs every message of an AOR or from an IP address for `seconds` (at most a day). Credentials are left out. Throws a
   * RangeError where the name is neither, or too many traces are in progress.
   */
  trace(name: string, seconds: number): Trace {
    if (!(seconds > 0 && seconds <= TRACE_S_MAX)) throw new RangeError(`a trace lasts 1 to ${TRACE_S_MAX} seconds`);
    const until = Date.now() + seconds * 1000;
    const trace = { ...this.target(name), until };
    this.traces.set(name, trace);
    try {
      this.apply();
    } catch (error) {
      this.traces.delete(name);
      this.apply();
      throw error;
    }
    this.log('info', 'trace on', { name, until: new Date(until).toISOString() });
    return trace;
  }

  /** Ends a trace; false where there was none. */
  untrace(name: string): boolean {
    if (!this.traces.delete(name)) return false;
    this.apply();
    this.log('info', 'trace off', { name });
    return true;
  }

  /**
   * Passes every message of an AOR or from an IP address to `hear` until the returned function is called; none of it is logged.
   * Throws a RangeError as `trace` does.
   */
  follow(name: string, hear: (message: FollowedMessage) => void): () => void {
    const follower = { target: this.target(name), hear };
    this.followers.add(follower);
    const end = () => {
      if (this.followers.delete(follower)) this.apply();
    };
    try {
      this.apply();
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.followers.clear();
    this.tap.watch({ samplePercent: 0, aors: [], sources: [] });
    this.drain();
    this.socket?.close();
    this.socket = undefined;
  }

  private target(name: string): Target {
    const ip = new Uint8Array(16);
    if (parseIp(name, ip, 0) !== 0) return { name, id: ip.join('.'), ip };
    const key = this.aorKey(name);
    if (key === undefined) throw new RangeError(`"${name}" is neither an AOR (alice@example.com) nor an IP address`);
    return { name, id: key.join('-'), key };
  }

  private apply(): void {
    const all: Target[] = [...this.traces.values(), ...[...this.followers].map(({ target }) => target)];
    const targets = [...new Map(all.map((target) => [target.id, target])).values()];
    const aors = targets.filter(({ key }) => key !== undefined);
    const sources = targets.filter(({ ip }) => ip !== undefined);
    const samplePercent = this.hep?.samplePercent ?? 0;
    const lists = this.tap.watch({
      samplePercent,
      aors: aors.flatMap(({ key }) => key ?? []),
      sources: sources.flatMap(({ ip }) => ip ?? []),
    });
    this.lists.set(lists, { aors: aors.map(({ id }) => id), sources: sources.map(({ id }) => id) });
    const wanted = samplePercent > 0 || targets.length > 0;
    if (wanted)
      this.timer ??= every(
        DRAIN_MS,
        () => this.turn(),
        (error) => this.log('error', 'messages cannot be watched', { error: error.message }),
      );
    else {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private turn(): void {
    const now = Date.now();
    for (const { name, until } of this.active) if (until <= now) this.untrace(name);
    this.drain();
  }

  private drain(): void {
    const taken = this.tap.drain((tapped) => {
      const message = { ...tapped, bytes: withoutCredentials(tapped.bytes) };
      const ids = this.idsOf(tapped);
      const isTraced = [...this.traces.values()].some(({ id }) => ids.includes(id));
      if (message.sampled || isTraced) this.sendHep(message);
      if (isTraced) this.logMessage(message);
      for (const { target, hear } of this.followers) if (ids.includes(target.id)) hear(this.followed(message));
    }, DRAIN_MAX);
    if (taken === DRAIN_MAX && this.timer !== undefined) setImmediate(() => this.turn());
  }

  private idsOf({ aor, source, lists }: Tapped): string[] {
    const watched = this.lists.get(lists);
    return [watched?.aors[aor], watched?.sources[source]].filter((id) => id !== undefined);
  }

  private followed(message: Tapped): FollowedMessage {
    const { time, isReceived, transport, family, ip, port } = message;
    const local = this.localAddress(message);
    return {
      at: time,
      isReceived,
      transport: TRANSPORT_NAMES[transport],
      peer: { address: formatIp(family, ip, 0), port },
      local: { address: formatIp(family, local.ip, 0), port: local.port },
      bytes: Uint8Array.from(message.bytes),
    };
  }

  private logMessage(message: Tapped): void {
    const text = Buffer.from(message.bytes).toString('utf8');
    this.log('info', text.startsWith('SIP/2.0 ') ? 'trace: answer' : 'trace: request', {
      at: new Date(message.time).toISOString(),
      peer: `${formatIp(message.family, message.ip, 0)} ${message.port}`,
      shard: message.shard,
      message: text,
    });
  }

  private sendHep(message: Tapped): void {
    if (this.hep === undefined || this.socket === undefined) return;
    const peer = { ip: message.ip, port: message.port };
    const us = this.localAddress(message);
    const { family, transport, time, isReceived, bytes } = message;
    const [from, to] = isReceived ? [peer, us] : [us, peer];
    const packet = hepPacket({ payload: bytes, family, transport, time, from, to }, this.hep);
    if (packet !== undefined) this.socket.send(packet);
  }

  private localAddress({ local, listener }: Tapped): { ip: Uint8Array; port: number } {
    const address = this.listeners[listener];
    const ip = new Uint8Array(16);
    if (address !== undefined) parseIp(address.host, ip, 0);
    return { ip: local.some((byte) => byte !== 0) ? local : ip, port: address?.port ?? 0 };
  }

  private openSocket({ to: { host, port } }: HepConfig): Socket {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    // ECONNREFUSED is no reason to stop: HOMER may start later.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') this.log('warn', 'hep', { error: error.message });
    });
    socket.connect(port, host);
    socket.unref();
    return socket;
  }
}

/** A digest is no password, but a dictionary attack on it can find one: logs and HOMER do without. */
function withoutCredentials(message: Uint8Array): Uint8Array {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString('latin1');
  const left = text.replace(CREDENTIALS, '$1 (left out)');
  return left === text ? message : Buffer.from(left, 'latin1');
}
