// A connection to one of several NATS servers for a thread that sleeps in poll(): connects, logs in, reads, writes, and changes to the next server
// where one answers too late. The library of NATS needs an event loop, and took 26 s to leave a server that stood still.

import { NatsAddresses } from '../nats/nats-addresses.ts';
import { loginFields } from '../nats/nats-login.ts';
import {
  NATS_BAD,
  NATS_ERR,
  NATS_INFO,
  NATS_MORE,
  NATS_MSG,
  NATS_PING,
  NATS_PONG,
  NatsReader,
  NatsWriter,
} from '../nats/nats-wire.ts';
import { SharedLogin } from '../nats/shared-login.ts';
import * as abi from './linux-abi.ts';

const RECEIVE_BYTES = 256 << 10;
/** Time for a connection until the server has answered the login. */
const CONNECT_MS = 300;
/** The same over a relay, which has to agree upon keys with the server first. */
const RELAYED_CONNECT_MS = 2000;
/** A silent server that owes an answer is pinged after the first time, and left after the second. */
const ASK_MS = 500;
const LEAVE_MS = 1000;
/** The same for a server that owes nothing. */
const IDLE_ASK_MS = 1000;
const IDLE_LEAVE_MS = 2500;
/** Pause before the next round, once all servers have been tried. */
const ROUND_MS = 250;

const CLOSED = 0;
const CONNECTING = 1;
const GREETING = 2;
const LOGGING_IN = 3;
const OPEN = 4;

/** The used fields of a server's INFO. */
export interface NatsInfo {
  readonly server_name?: string;
  readonly version?: string;
  readonly nonce?: string;
  readonly max_payload?: number;
  readonly headers?: boolean;
  readonly tls_required?: boolean;
  /** The server is about to stop. */
  readonly ldm?: boolean;
}

/** The user of the connection. */
export interface NatsUser {
  /** Logged in. Subscriptions of earlier connections are gone. */
  opened(info: NatsInfo): void;
  /** A message for a subscription, in the reader; its spans refer to `bytes` and are valid during the call. */
  message(reader: NatsReader, bytes: Uint8Array): void;
  /** The connection is closed: no answer that is still open will arrive. @param server number of the server that was left */
  closed(why: string, server: number): void;
  /** An error after which the server keeps the connection. */
  told(error: string): void;
}

export interface NatsSocketParts {
  readonly addresses: SharedArrayBuffer;
  /** Memory of a SharedLogin: each connection uses its current login. */
  readonly login: SharedArrayBuffer;
  /** Name of the connection, as the server shows it. */
  readonly name: string;
  /** The token that a relay in place of the server expects first. */
  readonly relayToken?: string;
}

export class NatsSocket {
  readonly writer = new NatsWriter();
  /** Whether the server owes an answer. */
  owed = false;
  /** Number of the server in the addresses. */
  server: number;
  private readonly calls: abi.Calls;
  private readonly addresses: NatsAddresses;
  private readonly parts: NatsSocketParts;
  private readonly user: NatsUser;
  private readonly reader = new NatsReader();
  private readonly peer = new abi.NativeMemory(abi.SOCKADDR_STRIDE);
  private readonly word = new abi.NativeMemory(16);
  private memory = new abi.NativeMemory(RECEIVE_BYTES);
  private from = 0;
  private filled = 0;
  private state = CLOSED;
  private info: NatsInfo = {};
  private fdNow = -1;
  private startedAt = 0;
  private heardAt = 0;
  private askedAt = 0;
  private tried = 0;
  private pauseUntil = 0;
  private sentBytes: Uint8Array | undefined;
  private sentAddress = 0;
  private readonly greeting?: abi.NativeMemory;

  /** @param first server to try */
  constructor(calls: abi.Calls, parts: NatsSocketParts, first: number, user: NatsUser) {
    this.calls = calls;
    this.addresses = new NatsAddresses(parts.addresses);
    this.parts = parts;
    this.server = first % this.addresses.count;
    this.user = user;
    const { relayToken } = parts;
    if (relayToken === undefined) return;
    const greeting = new TextEncoder().encode(`${relayToken}\r\n`);
    this.greeting = new abi.NativeMemory(greeting.length);
    this.greeting.bytes.set(greeting);
  }

  private get connectMs(): number {
    return this.greeting === undefined ? CONNECT_MS : RELAYED_CONNECT_MS;
  }

  get isOpen(): boolean {
    return this.state === OPEN;
  }

  /** Descriptor for poll(): -1 while there is none. */
  get fd(): number {
    return this.fdNow;
  }

  get events(): number {
    const wantsOut = this.state === CONNECTING || (this.state >= LOGGING_IN && this.writer.length > 0);
    return wantsOut ? abi.POLLIN | abi.POLLOUT : abi.POLLIN;
  }

  /** Milliseconds until `work` is due without a message. @param now monotonic ms */
  msToNext(now: number): number {
    if (this.state === CLOSED) return Math.max(0, this.pauseUntil - now);
    if (this.state !== OPEN) return Math.max(0, this.startedAt + this.connectMs - now);
    const [ask, leave] = this.limits();
    const next = this.askedAt > this.heardAt ? this.askedAt + leave - ask : this.heardAt + ask;
    return Math.max(0, next - now);
  }

  /** Does all work that needs no waiting. @param now monotonic ms */
  work(now: number): void {
    if (this.state === CLOSED) {
      if (now < this.pauseUntil) return;
      this.connect(now);
    }
    if (this.state === CONNECTING && !this.connected(now)) return;
    if (this.state !== CLOSED) this.receive(now);
    if (this.state !== CLOSED) this.watch(now);
    if (this.state !== CLOSED) this.flush(now);
  }

  /** Sends written bytes, as far as the kernel accepts them. */
  flush(now: number): void {
    const { writer, calls } = this;
    while (writer.length > 0 && this.state >= LOGGING_IN) {
      if (writer.bytes !== this.sentBytes) {
        this.sentBytes = writer.bytes;
        this.sentAddress = abi.addressOf(writer.bytes);
      }
      const sent = calls.send(this.fdNow, this.sentAddress, writer.length, abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL);
      if (sent > 0) writer.sent(sent);
      else if (calls.errno() === abi.EAGAIN) return;
      else if (calls.errno() !== abi.EINTR) return this.leave(abi.errnoName(calls.errno()), now);
    }
  }

  /** Sleeps until the connection is ready, at most so long. */
  sleep(ms: number): void {
    const { view, address } = this.word;
    view.setInt32(0, this.fdNow, true);
    view.setInt16(4, this.events, true);
    if (ms > 0) this.calls.poll(address, 1, Math.ceil(ms));
  }

  /** Closes the connection to this server; the next one follows. */
  leave(why: string, now: number): void {
    if (this.state === CLOSED) return;
    if (this.fdNow >= 0) this.calls.close(this.fdNow);
    this.fdNow = -1;
    const { server } = this;
    const wasOpen = this.state === OPEN;
    this.state = CLOSED;
    this.writer.clear();
    this.from = 0;
    this.filled = 0;
    this.server = (server + 1) % this.addresses.count;
    this.tried = wasOpen ? 1 : this.tried + 1;
    const isRound = this.tried >= this.addresses.count;
    if (isRound) this.tried = 0;
    this.pauseUntil = isRound ? now + ROUND_MS : now;
    this.user.closed(why, server);
  }

  close(): void {
    if (this.fdNow >= 0) this.calls.close(this.fdNow);
    this.fdNow = -1;
    this.state = CLOSED;
    this.pauseUntil = Number.POSITIVE_INFINITY;
  }

  private limits(): readonly [ask: number, leave: number] {
    return this.owed ? [ASK_MS, LEAVE_MS] : [IDLE_ASK_MS, IDLE_LEAVE_MS];
  }

  private connect(now: number): void {
    const { addresses, calls, server, peer } = this;
    this.startedAt = now;
    this.state = CONNECTING;
    const family = addresses.family(server);
    if (family === 0) return this.leave('its address is not known yet', now);
    const ipv6 = family === 6;
    this.fdNow = calls.socket(ipv6 ? abi.AF_INET6 : abi.AF_INET, abi.SOCK_STREAM_FLAGS, 0);
    if (this.fdNow < 0) return this.leave(abi.errnoName(calls.errno()), now);
    peer.bytes.fill(0);
    peer.view.setUint16(0, ipv6 ? abi.AF_INET6 : abi.AF_INET, true);
    peer.view.setUint16(abi.SOCKADDR_PORT, addresses.port(server), false);
    addresses.copyIp(server, peer.bytes, ipv6 ? abi.SOCKADDR_IN6_ADDR : abi.SOCKADDR_IN_ADDR);
    this.word.view.setInt32(0, 1, true);
    calls.setsockopt(this.fdNow, abi.IPPROTO_TCP, abi.TCP_NODELAY, this.word.address, 4);
    const length = ipv6 ? abi.SOCKADDR_IN6_BYTES : abi.SOCKADDR_IN_BYTES;
    if (calls.connect(this.fdNow, peer.address, length) !== 0 && calls.errno() !== abi.EINPROGRESS)
      this.leave(abi.errnoName(calls.errno()), now);
  }

  /** Whether the connection is established. */
  private connected(now: number): boolean {
    const { view, address } = this.word;
    view.setInt32(0, this.fdNow, true);
    view.setInt16(4, abi.POLLOUT, true);
    view.setInt16(6, 0, true);
    if (this.calls.poll(address, 1, 0) <= 0) {
      if (now - this.startedAt >= this.connectMs) this.leave('no connection in time', now);
      return false;
    }
    view.setUint32(8, 4, true);
    const { calls } = this;
    const got = calls.getsockopt(this.fdNow, abi.SOL_SOCKET, abi.SO_ERROR, address, address + 8);
    const errno = got === 0 ? view.getInt32(0, true) : calls.errno();
    if (errno !== 0) {
      this.leave(abi.errnoName(errno), now);
      return false;
    }
    this.state = GREETING;
    if (this.greeting !== undefined) {
      const { address: at, bytes } = this.greeting;
      calls.send(this.fdNow, at, bytes.length, abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL); // a new connection has space for it
    }
    return true;
  }

  private receive(now: number): void {
    while (this.state !== CLOSED) {
      this.makeRoom();
      const { memory, filled, calls } = this;
      const got = calls.recv(this.fdNow, memory.address + filled, memory.bytes.length - filled, abi.MSG_DONTWAIT);
      if (got <= 0) {
        const errno = got === 0 ? 0 : calls.errno();
        if (errno === abi.EAGAIN) return;
        if (errno !== abi.EINTR) this.leave(got === 0 ? 'closed by the server' : abi.errnoName(errno), now);
        continue;
      }
      this.heardAt = now;
      this.filled += got;
      const isAll = this.filled < memory.bytes.length;
      this.take(now);
      if (isAll) return;
    }
  }

  private makeRoom(): void {
    if (this.from > 0 && (this.from === this.filled || this.filled === this.memory.bytes.length)) {
      this.memory.bytes.copyWithin(0, this.from, this.filled);
      this.filled -= this.from;
      this.from = 0;
    }
    if (this.filled < this.memory.bytes.length) return;
    const larger = new abi.NativeMemory(this.memory.bytes.length * 2);
    larger.bytes.set(this.memory.bytes.subarray(0, this.filled));
    this.memory = larger;
  }

  private take(now: number): void {
    const { reader } = this;
    while (this.state !== CLOSED) {
      const { bytes } = this.memory;
      const kind = reader.next(bytes, this.from, this.filled);
      if (kind === NATS_MORE) return;
      this.from = reader.end;
      if (kind === NATS_MSG) this.user.message(reader, bytes);
      else if (kind === NATS_PING) this.writer.pong();
      else if (kind === NATS_PONG) this.ponged();
      else if (kind === NATS_INFO) this.greeted(reader.payload(bytes), now);
      else if (kind === NATS_ERR) this.refused(reader.payload(bytes), now);
      else if (kind === NATS_BAD) this.leave('it does not speak NATS', now);
    }
  }

  private greeted(json: string, now: number): void {
    try {
      this.info = JSON.parse(json) as NatsInfo;
    } catch {
      return this.leave('it does not speak NATS', now);
    }
    if (this.info.ldm === true) return this.leave('the server is about to stop', now);
    if (this.state !== GREETING) return;
    if (this.info.tls_required === true) return this.leave('the server wants TLS', now);
    this.state = LOGGING_IN;
    this.writer.clear(); // of bytes for a connection that is gone
    const { name } = this.parts;
    const login = loginFields(new SharedLogin(this.parts.login).get(), this.info.nonce);
    const fields = { lang: 'aorta', version: '1', protocol: 1, name, ...login };
    this.writer.connect({ verbose: false, pedantic: false, headers: true, no_responders: true, ...fields });
    this.writer.ping();
    this.flush(now);
  }

  private ponged(): void {
    if (this.state !== LOGGING_IN) return;
    this.state = OPEN;
    this.tried = 0;
    this.user.opened(this.info);
  }

  private refused(error: string, now: number): void {
    if (/^'?permissions violation/i.test(error)) this.user.told(error);
    else this.leave(error, now);
  }

  private watch(now: number): void {
    if (this.state !== OPEN) {
      if (now - this.startedAt >= this.connectMs) this.leave('no answer to the login in time', now);
      return;
    }
    const [ask, leave] = this.limits();
    // Counted from the ping, not from the last message: this thread may have slept.
    if (this.askedAt > this.heardAt) {
      if (now - this.askedAt >= leave - ask) this.leave('no answer in time', now);
    } else if (now - this.heardAt >= ask) {
      this.askedAt = now;
      this.writer.ping();
    }
  }
}
