// One TCP or TLS connection: its bytes become messages, answers become bytes, and it closes in order. A silent connection costs this
// object and the socket. tcp-listener closes connections that are silent for too long.

import type { Socket } from 'node:net';
import { awaitsResponse, isFinalResponse } from '../../sip/awaited.ts';
import { FRAME_MESSAGE, FRAME_MORE, FRAME_NO_LENGTH, FRAME_PING, FRAME_TOO_LARGE, Framer } from '../../sip/framing.ts';
import { monotonicMs } from '../monotonic.ts';
import type { Connection } from './flows.ts';
import type { HalfConnection, StreamListenerOptions } from './stream-listener.ts';

const PONG = Buffer.from('\r\n');
const PENDING_BYTES_MIN = 2048;
/** Time left for answers once the peer has sent its last byte, or bytes that cannot be read. */
const ANSWERS_MS = 10_000;
/** Time that a socket without a flow waits for its peer. */
const LINGER_MS = 2000;
/** Bytes read and dropped while a connection closes: a socket that closes over unread bytes may cost the peer our last answers. */
const DRAINED_BYTES_MAX = 64 << 10;

/** A socket knows its connection, so that all sockets share the same listener functions. */
interface OwnedSocket extends Socket {
  connection?: StreamConnection;
}

/** Options shared by all connections of a listener. */
export interface ConnectionOptions extends StreamListenerOptions {
  /** The connection is closed, or of no more use. */
  gone(connection: StreamConnection): void;
  /** Calls its `leave` when there is time for it. */
  leaving(connection: StreamConnection): void;
}

export class StreamConnection implements Connection, HalfConnection {
  token = 0;
  halfBytes = 0;
  /** When bytes last arrived, and the first byte of the message in progress, 0 without one; monotonic ms. */
  heardAt = monotonicMs();
  messageSince = 0;
  private readonly options: ConnectionOptions;
  /** The accepted socket; after a TLS handshake, the decrypted one. */
  private socket: Socket;
  private readonly framer = new Framer();
  /** Bytes of a message that is incomplete, or not accepted yet. */
  private pending: Buffer | null = null;
  private pendingLength = 0;
  /** Requests handed on less final responses sent: never below zero, and not exact, since not every request is answered. */
  private waiting = 0;
  private reading = true;
  private ending = false;
  private drained = 0;
  /** Whether a message has been handed on since bytes last arrived. */
  private handed = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.options = options;
  }

  /** Starts reading, from the accepted socket or the decrypted one inside its TLS. */
  start(socket: OwnedSocket): void {
    if (socket !== this.socket) socket.on('error', onError);
    this.socket = socket;
    socket.connection = this;
    socket.on('data', onData);
    socket.on('end', onEnd);
  }

  /** Has `gone` called once the connection is closed, for any reason. */
  watch(): void {
    const socket: OwnedSocket = this.socket;
    socket.connection = this;
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  closed(): void {
    this.options.halves.ended(this);
    this.options.gone(this);
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.reading = false;
    this.socket.pause();
  }

  destroy(): void {
    this.socket.destroy();
  }

  send(bytes: Uint8Array, at: number, end: number): boolean {
    const { socket } = this;
    if (!socket.writable) return false;
    if (socket.writableLength > this.options.policy.unsentBytesMax) {
      this.options.flows.counts.unread++;
      socket.destroy();
      return false;
    }
    socket.write(Buffer.from(bytes.subarray(at, end)));
    if (this.waiting > 0 && isFinalResponse(bytes, at)) this.waiting--;
    if (this.ending && this.waiting === 0) socket.end();
    return true;
  }

  /** Bytes have arrived. */
  receive(chunk: Buffer): void {
    if (this.ending) return this.drain(chunk.length);
    this.heardAt = monotonicMs();
    this.handed = false;
    if (this.pending === null) {
      const rest = this.frames(chunk, 0, chunk.length);
      if (rest < chunk.length) this.keep(chunk, rest, chunk.length);
    } else {
      this.keep(chunk, 0, chunk.length);
      if (this.reading) this.pendingFrames();
    }
    this.noteHalf();
  }

  resume(): void {
    if (this.reading || this.ending) return;
    this.reading = true;
    this.handed = false;
    if (this.pending !== null) this.pendingFrames();
    this.noteHalf();
    if (this.reading) this.socket.resume();
  }

  /**
   * The peer sends no more. Its requests are still answered. Once they are, nobody can be reached over the connection, whatever remains
   * of the socket: thousands that close at once would wait for each other's farewells.
   */
  ended(): void {
    if (this.ending || this.waiting > 0) return this.finish();
    this.stopReading();
    this.options.gone(this);
    this.options.leaving(this);
  }

  leave(): void {
    if (this.socket.destroyed) return;
    this.socket.end();
    setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
  }

  /** Accepts no more messages; received requests are still answered. */
  finish(): void {
    if (this.ending) return;
    this.stopReading();
    this.socket.resume();
    if (this.waiting === 0) this.socket.end();
    setTimeout(() => this.socket.destroy(), this.waiting === 0 ? LINGER_MS : ANSWERS_MS).unref();
  }

  crowdedOut(): void {
    this.options.flows.counts.crowded++;
    this.finish();
  }

  close(): void {
    this.stopReading();
    this.socket.end();
  }

  private stopReading(): void {
    this.ending = true;
    this.pending = null;
    this.messageSince = 0;
    this.options.halves.ended(this);
  }

  private drain(bytes: number): void {
    this.drained += bytes;
    if (this.drained <= DRAINED_BYTES_MAX) return;
    if (this.waiting === 0) this.socket.destroy();
    else this.socket.pause();
  }

  /** Notes the message in progress, and when it began. */
  private noteHalf(): void {
    if (this.ending) return;
    const { halves } = this.options;
    if (!this.framer.inMessage) this.messageSince = 0;
    else if (this.handed || this.messageSince === 0) this.messageSince = monotonicMs();
    if (!this.framer.inMessage || this.pending === null) return halves.ended(this);
    halves.keeps(this, this.pending.length, this.handed);
    halves.trim();
  }

  private pendingFrames(): void {
    const { pending, pendingLength } = this;
    if (pending === null) return;
    const rest = this.frames(pending, 0, pendingLength);
    if (rest >= pendingLength) {
      this.pending = null;
      this.pendingLength = 0;
    } else if (rest > 0) {
      pending.copyWithin(0, rest, pendingLength);
      this.pendingLength = pendingLength - rest;
    }
  }

  /** Hands on the complete messages of bytes[at, end); returns where the rest begins. */
  private frames(bytes: Buffer, from: number, end: number): number {
    const { framer, options } = this;
    let at = from;
    while (at < end && this.reading) {
      const outcome = framer.next(bytes, at, end, options.messageBytesMax, options.policy.headBytesMax);
      at = framer.end;
      options.flows.counts.skippedBytes += framer.skipped;
      framer.skipped = 0;
      if (outcome === FRAME_MORE) return framer.at;
      if (outcome === FRAME_PING) {
        this.pong();
      } else if (outcome === FRAME_MESSAGE) {
        if (!this.hand(bytes, framer.at, framer.end)) return framer.at;
      } else {
        const answerable = outcome === FRAME_NO_LENGTH || outcome === FRAME_TOO_LARGE;
        if (answerable) this.hand(bytes, framer.at, framer.end);
        options.flows.counts[answerable ? 'badFrame' : 'notSip']++;
        this.finish();
        return end;
      }
    }
    return at;
  }

  /** RFC 5626 §4.4.1. A peer that pings and does not read gets no more pongs. */
  private pong(): void {
    const { counts } = this.options.flows;
    counts.pings++;
    if (this.socket.writable && this.socket.writableLength === 0) this.socket.write(PONG);
  }

  private hand(bytes: Buffer, at: number, end: number): boolean {
    if (this.options.events.message(this.token, bytes, at, end)) {
      if (awaitsResponse(bytes, at)) this.waiting++;
      this.handed = true;
      return true;
    }
    this.pause();
    return false;
  }

  private keep(chunk: Buffer, at: number, end: number): void {
    const length = this.pendingLength + end - at;
    let { pending } = this;
    if (pending === null || pending.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(PENDING_BYTES_MIN, length, (pending?.length ?? 0) * 2));
      if (pending !== null) pending.copy(larger, 0, 0, this.pendingLength);
      pending = larger;
      this.pending = pending;
    }
    chunk.copy(pending, this.pendingLength, at, end);
    this.pendingLength = length;
  }
}

function onData(this: OwnedSocket, chunk: Buffer): void {
  this.connection?.receive(chunk);
}

function onEnd(this: OwnedSocket): void {
  this.connection?.ended();
}

function onClose(this: OwnedSocket): void {
  this.connection?.closed();
}

/** `close` follows. */
function onError(this: OwnedSocket): void {
  this.destroy();
}
