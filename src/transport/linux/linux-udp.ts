// UDP on Linux without a copy, by the batch: receiving, sending and waiting on a shard's sockets. Datagrams move from
// the kernel into the slab and from the arena of answers to the kernel. linux-abi has the layout of the structures.
// @hot

import { MESSAGE_BYTES_MAX, SLOT_COUNT, slab, slotStart } from '../../sip/parser/slab.ts';
import type { Peers } from '../../sip/sources.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import * as abi from './linux-abi.ts';

const RECEIVE_TRIES_MAX = 4;

/** A socket of a shard; the descriptor belongs to the process and is opened and closed by the main thread. */
export interface UdpSocket {
  readonly fd: number;
  /** Index of the listener in the configuration. */
  readonly listener: number;
  readonly family: 4 | 6;
  /** Whether it is bound to every address of the machine. */
  readonly wildcard: boolean;
  /** Whether answers to one address may leave as one message that the kernel cuts. */
  readonly segments: boolean;
}

/** A batch's answers, as the shard leaves them after its commit. */
export interface Datagrams {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly at: Int32Array;
  readonly end: Int32Array;
  readonly slot: Uint16Array;
  readonly port: Uint16Array;
}

/** Arrays of headers, socket addresses, vectors and control messages for one received batch. */
class BatchMemory {
  readonly headers = new abi.NativeMemory(SLOT_COUNT * abi.MMSGHDR_BYTES);
  readonly names = new abi.NativeMemory(SLOT_COUNT * abi.SOCKADDR_STRIDE);
  readonly vectors = new abi.NativeMemory(SLOT_COUNT * abi.IOVEC_BYTES);
  readonly control = new abi.NativeMemory(SLOT_COUNT * abi.CONTROL_STRIDE);
  readonly headerWords = new Int32Array(this.headers.bytes.buffer);
  readonly nameWords = new Int32Array(this.names.bytes.buffer);
  readonly vectorWords = new Int32Array(this.vectors.bytes.buffer);
  readonly controlWords = new Int32Array(this.control.bytes.buffer);

  constructor() {
    for (let i = 0; i < SLOT_COUNT; i++) {
      const header = i * abi.MMSGHDR_BYTES;
      this.headers.setWord(header + abi.MSGHDR_NAME, this.names.address + i * abi.SOCKADDR_STRIDE);
      this.headers.setWord(header + abi.MSGHDR_NAMELEN, abi.SOCKADDR_IN6_BYTES);
      this.headers.setWord(header + abi.MSGHDR_IOV, this.vectors.address + i * abi.IOVEC_BYTES);
      this.headers.setWord(header + abi.MSGHDR_IOVLEN, 1);
      this.headers.setWord(header + abi.MSGHDR_CONTROL, this.control.address + i * abi.CONTROL_STRIDE);
      this.headers.setWord(header + abi.MSGHDR_CONTROLLEN, abi.CONTROL_STRIDE);
    }
  }
}

const HEADER_WORDS = abi.MMSGHDR_BYTES >> 2;
const NAME_WORDS = abi.SOCKADDR_STRIDE >> 2;
const CONTROL_WORDS = abi.CONTROL_STRIDE >> 2;
const W_IN_ADDR = abi.SOCKADDR_IN_ADDR >> 2;
const W_IN6_ADDR = abi.SOCKADDR_IN6_ADDR >> 2;
const W_NAMELEN = abi.MSGHDR_NAMELEN >> 2;
const W_CONTROLLEN = abi.MSGHDR_CONTROLLEN >> 2;
const W_FLAGS = abi.MSGHDR_FLAGS >> 2;
/** Offset of the length, behind the words of SO_MEMINFO. */
const MEMINFO_LENGTH = (abi.MEMINFO_BYTES + 7) & ~7;
const W_LENGTH = abi.MMSGHDR_LEN >> 2;

/** The 16-byte rows of an array of `peers` as words. */
export function wordsOf(rows: Uint8Array): Int32Array {
  return new Int32Array(rows.buffer, rows.byteOffset, rows.length >> 2);
}

/** Receives into the slab's slots and the rows of `peers`. */
export class UdpReceiver {
  /** errno of a failure that a further receive cannot repair, else 0. */
  failure = 0;
  /** Bytes of the kernel's memory that wait in the fullest socket, and its capacity. */
  waiting = 0;
  capacity = 1;
  private readonly memInfo = new abi.NativeMemory(MEMINFO_LENGTH + 8);
  private readonly memWords = new Uint32Array(this.memInfo.bytes.buffer, this.memInfo.bytes.byteOffset);
  private readonly calls: abi.Calls;
  private readonly sockets: readonly UdpSocket[];
  private readonly peers: Peers;
  private readonly lengths: Int32Array;
  private readonly ipWords: Int32Array;
  private readonly localWords: Int32Array;
  private readonly memory = new BatchMemory();

  /** @param lengths the length of the datagram in each slot is written to it, in bytes */
  constructor(calls: abi.Calls, sockets: readonly UdpSocket[], peers: Peers, lengths: Int32Array) {
    this.calls = calls;
    this.sockets = sockets;
    this.peers = peers;
    this.lengths = lengths;
    this.ipWords = wordsOf(peers.ip);
    this.localWords = wordsOf(peers.local);
    const base = abi.addressOf(slab);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      this.memory.vectors.setWord(slot * abi.IOVEC_BYTES, base + slotStart(slot));
      this.memory.vectors.setWord(slot * abi.IOVEC_BYTES + 8, MESSAGE_BYTES_MAX);
    }
  }

  /** Receives datagrams of a socket into the slots [first, end), without waiting; returns how many were filled. */
  receive(socket: number, first: number, end = SLOT_COUNT): number {
    const { fd, listener } = this.sockets[socket];
    const address = this.memory.headers.address + first * abi.MMSGHDR_BYTES;
    for (let tries = 0; tries < RECEIVE_TRIES_MAX; tries++) {
      const got = this.calls.recvmmsg(fd, address, end - first, abi.MSG_DONTWAIT, 0);
      if (got > 0) {
        for (let slot = first; slot < first + got; slot++) this.readRow(slot, listener);
        return got;
      }
      const errno = got < 0 ? this.calls.errno() : abi.EAGAIN;
      if (errno === abi.EAGAIN || errno === abi.ENOMEM || errno === abi.ENOBUFS) return 0;
      if (errno === abi.EBADF || errno === abi.ENOTSOCK || errno === abi.EFAULT || errno === abi.EINVAL) {
        this.failure = errno;
        return 0;
      }
      // Remaining cases: a signal, or an ICMP error about an earlier answer, which this report has cleared.
    }
    return 0;
  }

  /** Sets `waiting` and `capacity` to those of the fullest socket. A system call for each socket. */
  look(): void {
    this.waiting = 0;
    this.capacity = 1;
    for (let i = 0; i < this.sockets.length; i++) {
      this.memInfo.setWord(MEMINFO_LENGTH, abi.MEMINFO_BYTES);
      const { address } = this.memInfo;
      this.calls.getsockopt(this.sockets[i].fd, abi.SOL_SOCKET, abi.SO_MEMINFO, address, address + MEMINFO_LENGTH);
      const waiting = this.memWords[0];
      const capacity = this.memWords[1];
      if (waiting * this.capacity <= this.waiting * capacity) continue;
      this.waiting = waiting;
      this.capacity = capacity;
    }
  }

  private readRow(slot: number, listener: number): void {
    const { headerWords, names, nameWords } = this.memory;
    const { ipWords } = this;
    const header = slot * HEADER_WORDS;
    const peers = this.peers;
    const bytes = names.bytes;
    const name = slot * abi.SOCKADDR_STRIDE;
    const ipv6 = bytes[name] === abi.AF_INET6;
    const from = slot * NAME_WORDS + (ipv6 ? W_IN6_ADDR : W_IN_ADDR);
    const ip = slot << 2;
    ipWords[ip] = nameWords[from];
    for (let i = 1; i < 4; i++) ipWords[ip + i] = ipv6 ? nameWords[from + i] : 0;
    peers.family[slot] = ipv6 ? 6 : 4;
    peers.port[slot] = (bytes[name + abi.SOCKADDR_PORT] << 8) | bytes[name + abi.SOCKADDR_PORT + 1];
    peers.transport[slot] = TRANSPORT_UDP;
    peers.listener[slot] = listener;
    peers.flow[slot] = ipv6 ? this.memory.nameWords[slot * NAME_WORDS + (abi.SOCKADDR_IN6_SCOPE >> 2)] : 0;
    peers.answeredByMain[slot] = 0;
    this.readLocal(slot, headerWords[header + W_CONTROLLEN]);
    const whole = (headerWords[header + W_FLAGS] & abi.MSG_TRUNC) === 0;
    this.lengths[slot] = whole ? headerWords[header + W_LENGTH] : 0;
    headerWords[header + W_NAMELEN] = abi.SOCKADDR_IN6_BYTES;
    headerWords[header + W_CONTROLLEN] = abi.CONTROL_STRIDE;
  }

  private readLocal(slot: number, controlLength: number): void {
    const local = this.peers.local;
    const row = slot << 4;
    for (let i = 0; i < 4; i++) this.localWords[(slot << 2) + i] = 0;
    if (controlLength === 0) return;
    let size = 0;
    let from = slot * abi.CONTROL_STRIDE + abi.CMSG_DATA;
    if (controlLength >= abi.CMSG_DATA + abi.IN_PKTINFO_BYTES) {
      const words = this.memory.controlWords;
      const level = words[slot * CONTROL_WORDS + (abi.CMSG_LEVEL >> 2)];
      const type = words[slot * CONTROL_WORDS + (abi.CMSG_TYPE >> 2)];
      if (level === abi.IPPROTO_IP && type === abi.IP_PKTINFO) {
        size = 4;
        from += abi.IN_PKTINFO_SPEC_DST;
      } else if (level === abi.IPPROTO_IPV6 && type === abi.IPV6_PKTINFO) {
        // An answer cannot leave from a multicast address (ff00::/8).
        size = this.memory.control.bytes[from] === 0xff ? 0 : 16;
      }
    }
    for (let i = 0; i < size; i++) local[row + i] = this.memory.control.bytes[from + i];
  }
}

/** A descriptor that may change, or be none (-1), between two sleeps. */
export interface PollSource {
  readonly fd: number;
  /** POLLIN, POLLOUT or both. */
  readonly events: number;
}

/** Waits on the bell's eventfd, the sockets, the epoll descriptor of the connections, and one changing source. */
export class UdpWait {
  private readonly calls: abi.Calls;
  private readonly fds: abi.NativeMemory;
  private readonly count: number;
  /** Number of the descriptors in front that are no clients' sockets. */
  private readonly others: number;
  private readonly bell: number;
  private readonly source: PollSource | null;
  private readonly scratch = new abi.NativeMemory(8);

  constructor(
    calls: abi.Calls,
    bell: number,
    sockets: readonly UdpSocket[],
    epoll?: number,
    source: PollSource | null = null,
  ) {
    this.calls = calls;
    this.bell = bell;
    this.source = source;
    const fds = [bell];
    if (source !== null) fds.push(-1);
    this.others = fds.length;
    for (let i = 0; i < sockets.length; i++) fds.push(sockets[i].fd);
    if (epoll !== undefined) fds.push(epoll);
    this.count = fds.length;
    this.fds = new abi.NativeMemory(this.count * abi.POLLFD_BYTES);
    for (let i = 0; i < this.count; i++) {
      this.fds.view.setInt32(i * abi.POLLFD_BYTES, fds[i], true);
      this.fds.view.setInt16(i * abi.POLLFD_BYTES + 4, abi.POLLIN, true);
    }
  }

  /**
   * Returns when a socket is readable, when the bell rang, or after `timeoutMs`.
   * @param takes false: clients' sockets do not count
   */
  wait(timeoutMs: number, takes = true): void {
    const { source, fds } = this;
    if (source !== null) {
      const at = abi.POLLFD_BYTES;
      fds.view.setInt32(at, source.fd, true);
      fds.view.setInt16(at + 4, source.events, true);
    }
    const ready = this.calls.poll(fds.address, takes ? this.count : this.others, timeoutMs);
    if (ready > 0 && fds.view.getInt16(6, true) !== 0) this.calls.read(this.bell, this.scratch.address, 8);
  }
}
