// Sends a batch's answers from the arena that holds them, in one system call for each socket. Answers to one address leave as one message that the
// kernel cuts into datagrams (UDP_SEGMENT, Linux 4.18): its path through the network stack is most of an answer's cost.
// @hot

import { SLOT_COUNT } from '../../sip/parser/slab.ts';
import type { Peers } from '../../sip/sources.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { AnswerRuns, END_VALUE_BYTES, RUN_COUNT_MIN } from './answer-runs.ts';
import * as abi from './linux-abi.ts';
import { type Datagrams, type UdpSocket, wordsOf } from './linux-udp.ts';

/** Attempts for one datagram that the kernel has no space for, and the wait before each, in ms. */
const SEND_TRIES_MAX = 8;
const SEND_WAIT_MS = 5;
/** The largest payload that UDP carries over IPv6 without jumbograms. */
const DATAGRAM_BYTES_MAX = 65_527;

const HEADER_WORDS = abi.MMSGHDR_BYTES >> 2;
const NAME_WORDS = abi.SOCKADDR_STRIDE >> 2;
const VECTOR_WORDS = abi.IOVEC_BYTES >> 2;
/** An address to send from, and a segment's length. */
const CONTROL_STRIDE = abi.CONTROL_STRIDE + abi.SEGMENT_CONTROL_BYTES;
const CONTROL_WORDS = CONTROL_STRIDE >> 2;
const W_IN_ADDR = abi.SOCKADDR_IN_ADDR >> 2;
const W_NAMELEN = abi.MSGHDR_NAMELEN >> 2;
const W_IOV = abi.MSGHDR_IOV >> 2;
const W_IOVLEN = abi.MSGHDR_IOVLEN >> 2;
const W_CONTROLLEN = abi.MSGHDR_CONTROLLEN >> 2;
/** The header behind those of the batch: for the parts of a message that the kernel refused to cut. */
const SPARE = SLOT_COUNT;
/** Spaces by which an answer grows at most, before the end of one without a body. */
const GROWN_END = Buffer.from(`${' '.repeat(64)} 0\r\n\r\n`);

/** Memory that sendmmsg reads: a header a message, two vectors an answer, an address and control messages a header. */
class SendMemory {
  readonly headers = new abi.NativeMemory((SLOT_COUNT + 1) * abi.MMSGHDR_BYTES);
  readonly names = new abi.NativeMemory(SLOT_COUNT * abi.SOCKADDR_STRIDE);
  readonly vectors = new abi.NativeMemory(2 * SLOT_COUNT * abi.IOVEC_BYTES);
  readonly control = new abi.NativeMemory(SLOT_COUNT * CONTROL_STRIDE);
  readonly grownEnd = new abi.NativeMemory(GROWN_END.length);
  readonly headerWords = new Int32Array(this.headers.bytes.buffer);
  readonly nameWords = new Int32Array(this.names.bytes.buffer);
  readonly vectorWords = new Int32Array(this.vectors.bytes.buffer);
  readonly controlWords = new Int32Array(this.control.bytes.buffer);

  constructor() {
    this.grownEnd.bytes.set(GROWN_END);
    for (let i = 0; i < SLOT_COUNT; i++) {
      const header = i * abi.MMSGHDR_BYTES;
      this.headers.setWord(header + abi.MSGHDR_NAME, this.names.address + i * abi.SOCKADDR_STRIDE);
      this.headers.setWord(header + abi.MSGHDR_CONTROL, this.control.address + i * CONTROL_STRIDE);
    }
  }
}

/** Sends answers out of one arena to their receivers in the rows of `peers`. */
export class UdpSender {
  private readonly calls: abi.Calls;
  private readonly sockets: readonly UdpSocket[];
  private readonly peers: Peers;
  private readonly ipWords: Int32Array;
  private readonly localWords: Int32Array;
  private readonly memory = new SendMemory();
  private readonly runs: AnswerRuns;
  private readonly pollfd = new abi.NativeMemory(abi.POLLFD_BYTES);
  private arena: Uint8Array | null = null;
  private arenaAddress = 0;
  private vectors = 0;
  private tries = 0;

  constructor(calls: abi.Calls, sockets: readonly UdpSocket[], peers: Peers) {
    this.calls = calls;
    this.sockets = sockets;
    this.peers = peers;
    this.runs = new AnswerRuns(peers);
    this.ipWords = wordsOf(peers.ip);
    this.localWords = wordsOf(peers.local);
  }

  /** Sends every UDP answer that leaves by a socket of ours; returns how many the kernel refused. */
  send(answers: Datagrams): number {
    if (answers.bytes !== this.arena) {
      this.arenaAddress = abi.addressOf(answers.bytes);
      this.arena = answers.bytes;
    }
    let dropped = 0;
    for (let s = 0; s < this.sockets.length; s++) dropped += this.sendBy(this.sockets[s], answers);
    return dropped;
  }

  private sendBy(socket: UdpSocket, answers: Datagrams): number {
    const { peers, runs } = this;
    let dropped = 0;
    runs.clear();
    for (let i = 0; i < answers.count; i++) {
      const slot = answers.slot[i];
      if (peers.listener[slot] !== socket.listener) continue;
      if (peers.transport[slot] !== TRANSPORT_UDP || peers.answeredByMain[slot] !== 0) continue;
      if (this.isSound(answers, i, socket)) runs.add(answers, i, socket);
      else dropped++;
    }
    if (runs.count === 0) return dropped;
    this.vectors = 0;
    let headers = 0;
    for (let run = 0; run < runs.count; run++) headers = this.fillRun(headers, run, answers, socket);
    return dropped + this.flush(socket.fd, headers);
  }

  /** Whether the answer's bounds are inside the arena and its address is of the socket's family. */
  private isSound(answers: Datagrams, i: number, socket: UdpSocket): boolean {
    const at = answers.at[i];
    const length = answers.end[i] - at;
    const slot = answers.slot[i];
    if (at < 0 || length <= 0 || length > DATAGRAM_BYTES_MAX || at + length > answers.bytes.length) return false;
    return slot < SLOT_COUNT && this.peers.family[slot] === socket.family;
  }

  /** Fills headers from `k` on with the answers of a run, in one message where they are enough; returns the next free header. */
  private fillRun(k: number, run: number, answers: Datagrams, socket: UdpSocket): number {
    const { runs } = this;
    const together = runs.members[run] >= RUN_COUNT_MIN;
    let free = k;
    if (together) {
      const head = runs.head[run];
      this.fillHeader(free, answers, head, socket, runs.longest[run]);
      this.memory.headerWords[free++ * HEADER_WORDS + W_IOVLEN] = 2 * runs.members[run];
    }
    for (let i = runs.head[run]; i >= 0; i = runs.next[i]) {
      const address = this.arenaAddress + answers.at[i];
      const length = answers.end[i] - answers.at[i];
      if (together) {
        const grown = runs.longest[run] - length + END_VALUE_BYTES;
        this.addVector(address, length - END_VALUE_BYTES);
        this.addVector(this.memory.grownEnd.address + GROWN_END.length - grown, grown);
      } else {
        this.fillHeader(free, answers, i, socket, 0);
        this.memory.headerWords[free++ * HEADER_WORDS + W_IOVLEN] = 1;
        this.addVector(address, length);
      }
    }
    return free;
  }

  private addVector(address: number, length: number): void {
    const { vectorWords } = this.memory;
    const w = this.vectors++ * VECTOR_WORDS;
    const low = address >>> 0;
    vectorWords[w] = low;
    vectorWords[w + 1] = (address - low) / 0x1_0000_0000;
    vectorWords[w + 2] = length;
  }

  /** Prepares header `k` for answer `i`, with its vectors from the next on, cut into segments of `segment` bytes unless that is 0. */
  private fillHeader(k: number, answers: Datagrams, i: number, socket: UdpSocket, segment: number): void {
    const { headerWords, vectors, controlWords } = this.memory;
    const slot = answers.slot[i];
    const w = k * HEADER_WORDS;
    setAddress(headerWords, w + W_IOV, vectors.address + this.vectors * abi.IOVEC_BYTES);
    headerWords[w + W_NAMELEN] = this.fillName(k, slot, answers.port[i]);
    let control = socket.wildcard ? this.fillLocal(k, slot) : 0;
    if (segment > 0) {
      const c = k * CONTROL_WORDS + (control >> 2);
      controlWords[c] = abi.SEGMENT_CMSG_BYTES;
      controlWords[c + 1] = 0;
      controlWords[c + (abi.CMSG_LEVEL >> 2)] = abi.IPPROTO_UDP;
      controlWords[c + (abi.CMSG_TYPE >> 2)] = abi.UDP_SEGMENT;
      controlWords[c + (abi.CMSG_DATA >> 2)] = segment; // a u16, little endian
      control += abi.SEGMENT_CONTROL_BYTES;
    }
    headerWords[w + W_CONTROLLEN] = control;
  }

  private fillName(k: number, slot: number, port: number): number {
    const peers = this.peers;
    const { bytes } = this.memory.names;
    const words = this.memory.nameWords;
    const name = k * abi.SOCKADDR_STRIDE;
    const ip = slot << 4;
    const ipv6 = peers.family[slot] === 6;
    bytes[name] = ipv6 ? abi.AF_INET6 : abi.AF_INET;
    bytes[name + 1] = 0;
    bytes[name + abi.SOCKADDR_PORT] = port >>> 8;
    bytes[name + abi.SOCKADDR_PORT + 1] = port & 255;
    if (!ipv6) {
      words[k * NAME_WORDS + W_IN_ADDR] = this.ipWords[ip >> 2];
      words[k * NAME_WORDS + 2] = 0;
      words[k * NAME_WORDS + 3] = 0;
      return abi.SOCKADDR_IN_BYTES;
    }
    words[k * NAME_WORDS + 1] = 0; // flow label
    for (let i = 0; i < 16; i++) bytes[name + abi.SOCKADDR_IN6_ADDR + i] = peers.ip[ip + i];
    words[k * NAME_WORDS + (abi.SOCKADDR_IN6_SCOPE >> 2)] = peers.flow[slot];
    return abi.SOCKADDR_IN6_BYTES;
  }

  /** Sets the source address where the peer's row holds one; returns the control message's length in bytes. */
  private fillLocal(k: number, slot: number): number {
    const local = this.peers.local;
    const row = slot << 4;
    const ipv6 = this.peers.family[slot] === 6;
    const { localWords } = this;
    const w0 = row >> 2;
    if ((localWords[w0] | localWords[w0 + 1] | localWords[w0 + 2] | localWords[w0 + 3]) === 0) return 0;
    const words = this.memory.controlWords;
    const w = k * CONTROL_WORDS;
    words.fill(0, w, w + CONTROL_WORDS);
    words[w] = abi.CMSG_DATA + (ipv6 ? abi.IN6_PKTINFO_BYTES : abi.IN_PKTINFO_BYTES);
    words[w + (abi.CMSG_LEVEL >> 2)] = ipv6 ? abi.IPPROTO_IPV6 : abi.IPPROTO_IP;
    words[w + (abi.CMSG_TYPE >> 2)] = ipv6 ? abi.IPV6_PKTINFO : abi.IP_PKTINFO;
    const data = k * CONTROL_STRIDE + abi.CMSG_DATA + (ipv6 ? 0 : abi.IN_PKTINFO_SPEC_DST);
    const size = ipv6 ? 16 : 4;
    for (let i = 0; i < size; i++) this.memory.control.bytes[data + i] = local[row + i];
    if (ipv6) words[w + ((abi.CMSG_DATA + abi.IN6_PKTINFO_IFINDEX) >> 2)] = this.peers.flow[slot];
    return ipv6 ? abi.CONTROL_STRIDE : abi.CMSG_DATA + 16;
  }

  /** Hands the first `filled` headers to the kernel; returns how many answers it refused. */
  private flush(fd: number, filled: number): number {
    let dropped = 0;
    let done = 0;
    this.tries = 0;
    while (done < filled) {
      const address = this.memory.headers.address + done * abi.MMSGHDR_BYTES;
      const sent = this.calls.sendmmsg(fd, address, filled - done, abi.MSG_DONTWAIT);
      if (sent > 0) {
        done += sent;
        this.tries = 0;
      } else {
        const errno = this.calls.errno();
        if (!this.mayRetry(fd, errno)) dropped += this.sendApart(fd, done++, errno);
      }
    }
    return dropped;
  }

  /**
   * Sends the answers of a refused message one by one: the path to the peer may have a smaller MTU, or its device may be unable to cut. Runs are
   * shorter from then on. Returns how many answers were refused even so. @cold
   */
  private sendApart(fd: number, k: number, errno: number): number {
    const { headerWords, headers } = this.memory;
    const from = k * HEADER_WORDS;
    const vectors = headerWords[from + W_IOVLEN];
    if (vectors === 1) return 1;
    if (errno === abi.EINVAL) this.runs.bytesMax = Math.min(this.runs.bytesMax, this.segmentOf(k) - 1);
    if (errno === abi.EIO) this.runs.bytesMax = 0;
    const first = headerWords[from + W_IOV + 1] * 0x1_0000_0000 + (headerWords[from + W_IOV] >>> 0);
    const spare = SPARE * HEADER_WORDS;
    headerWords.copyWithin(spare, from, from + HEADER_WORDS);
    headerWords[spare + W_IOVLEN] = 2;
    headerWords[spare + W_CONTROLLEN] -= abi.SEGMENT_CONTROL_BYTES;
    let dropped = 0;
    for (let v = 0; v < vectors; v += 2) {
      setAddress(headerWords, spare + W_IOV, first + v * abi.IOVEC_BYTES);
      this.tries = 0;
      while (this.calls.sendmmsg(fd, headers.address + SPARE * abi.MMSGHDR_BYTES, 1, abi.MSG_DONTWAIT) < 1) {
        if (this.mayRetry(fd, this.calls.errno())) continue;
        dropped++;
        break;
      }
    }
    return dropped;
  }

  /** Bytes of the segments of message `k`, from its last control message. @cold */
  private segmentOf(k: number): number {
    const { headerWords, controlWords } = this.memory;
    const end = k * CONTROL_WORDS + (headerWords[k * HEADER_WORDS + W_CONTROLLEN] >> 2);
    return controlWords[end - ((abi.SEGMENT_CONTROL_BYTES - abi.CMSG_DATA) >> 2)];
  }

  /** Whether the datagram at the head is worth another attempt; waits a little where the kernel asks for it. */
  private mayRetry(fd: number, errno: number): boolean {
    if (errno === abi.EINTR) return true;
    const full = errno === abi.EAGAIN || errno === abi.ENOBUFS || errno === abi.ENOMEM;
    if (!full && errno !== abi.ECONNREFUSED) return false;
    if (this.tries >= SEND_TRIES_MAX) return false; // until a datagram leaves again, the rest do not wait
    this.tries++;
    if (!full) return true;
    this.pollfd.view.setInt32(0, fd, true);
    this.pollfd.view.setInt16(4, abi.POLLOUT, true);
    this.calls.poll(this.pollfd.address, 1, SEND_WAIT_MS);
    return true;
  }
}

/** Writes an address, or a size_t below 2^53, over two words. */
function setAddress(words: Int32Array, w: number, value: number): void {
  const low = value >>> 0;
  words[w] = low;
  words[w + 1] = (value - low) / 0x1_0000_0000;
}
