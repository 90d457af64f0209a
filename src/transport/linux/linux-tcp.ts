// TCP on Linux in a shard's thread: connections are accepted, read into the slab's slots and answered without Node's streams between. The main
// thread (native-tcp.ts) keeps the connections and closes them: it is told of each event.
// @hot

import { awaitsResponse, isFinalResponse } from '../../sip/awaited.ts';
import { FRAME_MESSAGE, FRAME_MORE, FRAME_NO_LENGTH, FRAME_PING, FRAME_TOO_LARGE, Framer } from '../../sip/framing.ts';
import { SLOT_COUNT, slab, slotStart } from '../../sip/parser/slab.ts';
import { copyPeer, createPeers, type Peers, TRANSPORT_TCP } from '../../sip/sources.ts';
import {
  FLOW_BAD_FRAME,
  FLOW_BROKEN,
  FLOW_CROWDED,
  FLOW_ENDED,
  FLOW_NOT_SIP,
  FLOW_UNREAD,
  type FlowRows,
} from '../flow/flow-rows.ts';
import { type Half, HalfMessages } from '../flow/half-messages.ts';
import type { LiveFlows } from '../flow/live-flows.ts';
import type { FramingLimits } from '../flow/stream-policy.ts';
import { Descriptors } from './descriptors.ts';
import * as abi from './linux-abi.ts';
import type { Datagrams } from './linux-udp.ts';

/** Bytes read from one connection at a time, so that no other waits for long. */
const STAGE_BYTES = 16_384;
const ACCEPTS_MAX = 32;
/** Pairs per message to the main thread. */
const NEWS_MAX = 1024;
const PENDING_BYTES_MIN = 2048;
const DATA_HIGH = abi.EPOLL_DATA + 4;

/** The parts of a shard's TCP. */
export interface TcpParts {
  readonly calls: abi.Calls;
  /** Epoll descriptor for the listeners and connections of this shard. */
  readonly epoll: number;
  readonly live: LiveFlows;
  readonly rows: FlowRows;
  readonly messageBytesMax: number;
  readonly framing: FramingLimits;
  /** Tells the main thread of a connection, its peer the one row; or of an errno, negative. False: its ring is full now. */
  accepted(fd: number, peers: Peers): boolean;
  /** Tells the main thread: words in pairs, a token and its notice (FLOW_*). False: its ring is full now. */
  news(pairs: Uint8Array): boolean;
  /** A double CRLF has arrived. */
  pinged(): void;
  /** A connection was closed because few descriptors are left. */
  refused(): void;
  /** So many bytes between messages were neither SIP nor double CRLFs, and were skipped. */
  skipped(bytes: number): void;
}

/** Bytes of a message that is incomplete, or not accepted yet. */
interface Partial extends Half {
  readonly token: number;
  readonly framer: Framer;
  bytes: Uint8Array | null;
  length: number;
  /** Whether they may hold complete messages that found no slot. */
  waits: boolean;
}

/** Sockets read in a batch: where thousands of connections end at once, datagrams wait for no more of them. */
const EVENTS_MAX = SLOT_COUNT / 2;

export class TcpConnections {
  private readonly parts: TcpParts;
  private readonly peers: Peers;
  private readonly lengths: Int32Array;
  private readonly events = new abi.NativeMemory(EVENTS_MAX * abi.EPOLL_EVENT_BYTES);
  private readonly stage = new abi.NativeMemory(STAGE_BYTES);
  private readonly name = new abi.NativeMemory(abi.SOCKADDR_STRIDE + 8);
  private readonly event = new abi.NativeMemory(16);
  private readonly pong = new abi.NativeMemory(8);
  private readonly peer = createPeers(1);
  /** By slot of the flow: whether `partials` has bytes of it. */
  private readonly held: Uint8Array;
  private readonly partials = new Map<number, Partial>();
  private readonly halves: HalfMessages<Partial>;
  /** Tokens of the flows that wait. */
  private unfinished: number[] = [];
  private readonly descriptors = new Descriptors();
  private spareFramer = new Framer();
  /** A spare descriptor, closed for a moment where no others are left: a waiting peer is then closed, not left unanswered; -1: it is gone. */
  private spare: number;
  private said = new Uint32Array(256);
  private saidCount = 0;
  private slot = 0;
  private now = 0;
  private arena: Uint8Array | null = null;
  private arenaAddress = 0;

  constructor(parts: TcpParts, peers: Peers, lengths: Int32Array) {
    this.parts = parts;
    this.peers = peers;
    this.lengths = lengths;
    this.spare = this.openSpare();
    this.held = new Uint8Array(parts.live.slots);
    this.halves = new HalfMessages(parts.framing.incompleteBytesMax, ({ token }) =>
      this.stop(token, token & (parts.live.slots - 1), FLOW_CROWDED),
    );
    this.pong.bytes[0] = 13;
    this.pong.bytes[1] = 10;
  }

  /**
   * Reads messages into the slots from `first` on, without waiting; returns how many were filled.
   * @param sockets false: only bytes that have been read
   */
  receive(first: number, now: number, sockets: boolean): number {
    const { calls, epoll } = this.parts;
    this.slot = first;
    this.now = Math.floor(now / 1000);
    if (this.unfinished.length > 0) this.finishSome();
    if (sockets && this.slot < SLOT_COUNT) {
      const count = calls.epoll_wait(epoll, this.events.address, Math.min(EVENTS_MAX, SLOT_COUNT - this.slot), 0);
      const { view } = this.events;
      for (let i = 0, at = 0; i < count && this.slot < SLOT_COUNT; i++, at += abi.EPOLL_EVENT_BYTES) {
        const listener = view.getUint32(at + DATA_HIGH, true);
        const low = view.getUint32(at + abi.EPOLL_DATA, true);
        if (listener > 0) this.accept(low, listener - 1);
        else this.read(low);
      }
    }
    this.tell();
    return this.slot - first;
  }

  /** Whether there is work that no socket will report. */
  get hasMore(): boolean {
    return this.unfinished.length > 0 || this.saidCount > 0;
  }

  /** The main thread has ended flows: a list of tokens in a slot of the slab. */
  forget(slot: number, length: number): void {
    if (this.partials.size === 0) return;
    for (let at = slotStart(slot), end = at + length; at < end; at += 4) {
      const token = (slab[at] | (slab[at + 1] << 8) | (slab[at + 2] << 16) | (slab[at + 3] << 24)) >>> 0;
      const row = token & (this.parts.live.slots - 1);
      if (this.held[row] !== 0 && this.partials.get(row)?.token === token) this.drop(row);
    }
  }

  /** Sends the answers, and requests, that leave over TCP by this shard; returns how many could not be sent. @param peers rows of their receivers */
  send(answers: Datagrams, peers = this.peers): number {
    if (answers.bytes !== this.arena) {
      this.arenaAddress = abi.addressOf(answers.bytes);
      this.arena = answers.bytes;
    }
    const { calls, live, rows } = this.parts;
    let dropped = 0;
    for (let i = 0; i < answers.count; i++) {
      const slot = answers.slot[i];
      if (peers.transport[slot] !== TRANSPORT_TCP || peers.answeredByMain[slot] !== 0) continue;
      const token = peers.flow[slot];
      const row = token & (live.slots - 1);
      const length = answers.end[i] - answers.at[i];
      // The descriptor cannot become another connection's before this shard's loop has made one more pass.
      if (!live.isAlive(token)) {
        dropped++;
        continue;
      }
      const flags = abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL;
      const sent = calls.send(rows.fd[row], this.arenaAddress + answers.at[i], length, flags);
      if (isFinalResponse(answers.bytes, answers.at[i])) Atomics.sub(rows.unanswered, row, 1);
      if (sent === length) continue;
      dropped++;
      this.say(token, sent >= 0 || calls.errno() === abi.EAGAIN ? FLOW_UNREAD : FLOW_BROKEN);
    }
    this.tell();
    return dropped;
  }

  /** Accepts the connections that wait at a listener, and arms it again. */
  private accept(fd: number, listener: number): void {
    const { calls } = this.parts;
    const { view, address } = this.name;
    for (let i = 0; i < ACCEPTS_MAX; i++) {
      view.setUint32(abi.SOCKADDR_STRIDE, abi.SOCKADDR_STRIDE, true);
      const socket = calls.accept4(fd, address, address + abi.SOCKADDR_STRIDE, abi.ACCEPT_FLAGS);
      if (socket < 0) {
        const errno = calls.errno();
        if (errno === abi.EAGAIN) break;
        if (errno === abi.ECONNABORTED || errno === abi.EINTR) continue;
        this.readPeer(listener);
        this.turnAway(fd);
        // No descriptors or no memory: the main thread arms it again, later.
        if (this.parts.accepted(-errno, this.peer)) return;
        break;
      }
      // Before the main thread learns of it: it may be busy, and in the meantime none would be left.
      if (!this.descriptors.hasCapacity('phone', socket)) {
        calls.close(socket);
        this.parts.refused();
        continue;
      }
      this.readPeer(listener);
      if (!this.parts.accepted(socket, this.peer)) calls.close(socket);
    }
    armListener(calls, abi.EPOLL_CTL_MOD, this.parts.epoll, fd, listener, this.event);
  }

  /** Closes waiting connections for which there are no descriptors. */
  private turnAway(fd: number): void {
    const { calls } = this.parts;
    const { address } = this.name;
    for (let i = 0; i < ACCEPTS_MAX && this.spare >= 0; i++) {
      calls.close(this.spare);
      this.name.view.setUint32(abi.SOCKADDR_STRIDE, abi.SOCKADDR_STRIDE, true);
      const socket = calls.accept4(fd, address, address + abi.SOCKADDR_STRIDE, abi.ACCEPT_FLAGS);
      if (socket >= 0) calls.close(socket);
      this.spare = this.openSpare();
      if (socket < 0) return;
    }
    if (this.spare < 0) this.spare = this.openSpare();
  }

  /** @cold */
  close(): void {
    if (this.spare >= 0) this.parts.calls.close(this.spare);
    this.spare = -1;
  }

  private openSpare(): number {
    return this.parts.calls.fcntl(this.parts.epoll, abi.F_DUPFD_CLOEXEC, 0);
  }

  private readPeer(listener: number): void {
    const { view, bytes } = this.name;
    const { peer } = this;
    const ipv6 = bytes[0] === abi.AF_INET6;
    const from = ipv6 ? abi.SOCKADDR_IN6_ADDR : abi.SOCKADDR_IN_ADDR;
    const size = ipv6 ? 16 : 4;
    for (let i = 0; i < 16; i++) peer.ip[i] = i < size ? bytes[from + i] : 0;
    peer.family[0] = ipv6 ? 6 : 4;
    peer.port[0] = view.getUint16(abi.SOCKADDR_PORT, false);
    peer.transport[0] = TRANSPORT_TCP;
    peer.listener[0] = listener;
  }

  private read(token: number): void {
    const { calls, live, rows } = this.parts;
    if (!live.isAlive(token)) return;
    const row = token & (live.slots - 1);
    const partial = this.partialOf(token, row);
    if (partial?.waits === true) return;
    const got = calls.recv(rows.fd[row], this.stage.address, STAGE_BYTES, abi.MSG_DONTWAIT);
    if (got <= 0) {
      if (got < 0 && calls.errno() === abi.EAGAIN) return;
      return this.stop(token, row, got === 0 ? FLOW_ENDED : FLOW_BROKEN);
    }
    rows.heardAt[row] = this.now;
    if (partial !== null) {
      keep(partial, this.stage.bytes, 0, got);
      return this.goOn(partial, row);
    }
    const rest = this.frames(this.spareFramer, this.stage.bytes, got, token, row);
    if (rest < 0 || (rest === got && this.spareFramer.isFresh)) return;
    const begun = { token, framer: this.spareFramer, bytes: null, length: 0, waits: false, halfBytes: 0 };
    this.spareFramer = new Framer();
    this.partials.set(row, begun);
    this.held[row] = 1;
    keep(begun, this.stage.bytes, rest, got);
    this.mark(begun, row, true);
  }

  /** Hands on the complete messages of the kept bytes. */
  private goOn(partial: Partial, row: number): void {
    const { bytes, length } = partial;
    if (bytes === null) return;
    const first = this.slot;
    const rest = this.frames(partial.framer, bytes, length, partial.token, row);
    if (rest < 0) return;
    if (rest > 0) bytes.copyWithin(0, rest, length);
    partial.length = length - rest;
    if (partial.length === 0) {
      partial.bytes = null;
      if (partial.framer.isFresh) this.drop(row);
    }
    this.mark(partial, row, this.slot !== first);
  }

  /**
   * Notes for the main thread when the message in progress began, and for the next batch the bytes left to hand on.
   * @param anew whether the message in progress has only begun
   */
  private mark(partial: Partial, row: number, anew: boolean): void {
    const { messageSince } = this.parts.rows;
    const waits = partial.length > 0 && this.slot === SLOT_COUNT;
    if (waits && !partial.waits) this.unfinished.push(partial.token);
    partial.waits = waits;
    const isHalf = !waits && partial.framer.inMessage;
    if (!waits && !isHalf) messageSince[row] = 0;
    else if (anew || messageSince[row] === 0) messageSince[row] = this.now;
    if (!isHalf || partial.bytes === null) return this.halves.ended(partial);
    this.halves.keeps(partial, partial.bytes.length, anew);
    this.halves.trim();
  }

  private finishSome(): void {
    const tokens = this.unfinished;
    this.unfinished = [];
    for (let i = 0; i < tokens.length; i++) {
      const row = tokens[i] & (this.parts.live.slots - 1);
      const partial = this.partialOf(tokens[i], row);
      if (partial === null) continue;
      partial.waits = false;
      this.goOn(partial, row);
    }
  }

  /** Hands on the complete messages of bytes[0, end), as long as there are slots; returns where the rest begins, -1 where nothing more counts. */
  private frames(framer: Framer, bytes: Uint8Array, end: number, token: number, row: number): number {
    let at = 0;
    while (at < end && this.slot < SLOT_COUNT) {
      const outcome = framer.next(bytes, at, end, this.parts.messageBytesMax, this.parts.framing.headBytesMax);
      at = framer.end;
      if (framer.skipped > 0) this.countSkipped(framer);
      if (outcome === FRAME_MESSAGE) this.hand(bytes, framer.at, at, row);
      else if (outcome === FRAME_PING) this.answerPing(row);
      else if (outcome === FRAME_MORE) return framer.at;
      else {
        const answerable = outcome === FRAME_NO_LENGTH || outcome === FRAME_TOO_LARGE;
        if (answerable) this.hand(bytes, framer.at, at, row);
        if (framer === this.spareFramer) this.spareFramer = new Framer();
        this.stop(token, row, answerable ? FLOW_BAD_FRAME : FLOW_NOT_SIP);
        return -1;
      }
    }
    return at;
  }

  private countSkipped(framer: Framer): void {
    this.parts.skipped(framer.skipped);
    framer.skipped = 0;
  }

  private hand(bytes: Uint8Array, at: number, end: number, row: number): void {
    const slot = this.slot++;
    // A view per message: the copy that it allows is ten times faster than a loop.
    slab.set(bytes.subarray(at, end), slotStart(slot));
    copyPeer(this.parts.rows.peers, row, this.peers, slot);
    this.lengths[slot] = end - at;
    if (awaitsResponse(bytes, at)) Atomics.add(this.parts.rows.unanswered, row, 1);
  }

  /** RFC 5626 §4.4.1. A peer that does not read it gets no other. */
  private answerPing(row: number): void {
    const { calls, rows } = this.parts;
    this.parts.pinged();
    calls.send(rows.fd[row], this.pong.address, 2, abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL);
  }

  /** Reads nothing more from a connection. */
  private stop(token: number, row: number, why: number): void {
    const { calls, epoll, rows } = this.parts;
    this.drop(row);
    calls.epoll_ctl(epoll, abi.EPOLL_CTL_DEL, rows.fd[row], this.event.address);
    this.say(token, why);
  }

  private partialOf(token: number, row: number): Partial | null {
    if (this.held[row] === 0) return null;
    const partial = this.partials.get(row);
    if (partial !== undefined && partial.token === token) return partial;
    this.drop(row);
    return null;
  }

  private drop(row: number): void {
    if (this.held[row] === 0) return;
    this.held[row] = 0;
    const partial = this.partials.get(row);
    if (partial !== undefined) this.halves.ended(partial);
    this.partials.delete(row);
  }

  private say(token: number, what: number): void {
    if (this.saidCount * 2 === this.said.length) {
      const larger = new Uint32Array(this.said.length * 2);
      larger.set(this.said);
      this.said = larger;
    }
    this.said[this.saidCount * 2] = token;
    this.said[this.saidCount++ * 2 + 1] = what;
  }

  private tell(): void {
    while (this.saidCount > 0) {
      const count = Math.min(this.saidCount, NEWS_MAX);
      if (!this.parts.news(new Uint8Array(this.said.buffer, 0, count * 8))) return;
      this.said.copyWithin(0, count * 2, this.saidCount * 2);
      this.saidCount -= count;
    }
  }
}

/** Has a listener report connections, once. */
export function armListener(
  calls: abi.Calls,
  operation: number,
  epoll: number,
  fd: number,
  listener: number,
  event: abi.NativeMemory,
): void {
  event.view.setUint32(0, abi.EPOLLIN | abi.EPOLLONESHOT, true);
  event.view.setUint32(abi.EPOLL_DATA, fd, true);
  event.view.setUint32(DATA_HIGH, listener + 1, true);
  calls.epoll_ctl(epoll, operation, fd, event.address);
}

/** Has a connection report bytes, as long as there are any. */
export function watchConnection(
  calls: abi.Calls,
  epoll: number,
  fd: number,
  token: number,
  event: abi.NativeMemory,
): void {
  event.view.setUint32(0, abi.EPOLLIN, true);
  event.view.setUint32(abi.EPOLL_DATA, token, true);
  event.view.setUint32(DATA_HIGH, 0, true);
  calls.epoll_ctl(epoll, abi.EPOLL_CTL_ADD, fd, event.address);
}

function keep(partial: Partial, from: Uint8Array, at: number, end: number): void {
  if (end === at) return;
  const length = partial.length + end - at;
  let { bytes } = partial;
  if (bytes === null || bytes.length < length) {
    const larger = new Uint8Array(Math.max(PENDING_BYTES_MIN, length, bytes === null ? 0 : bytes.length * 2));
    if (bytes !== null) larger.set(bytes.subarray(0, partial.length));
    bytes = larger;
    partial.bytes = bytes;
  }
  bytes.set(from.subarray(at, end), partial.length);
  partial.length = length;
}
