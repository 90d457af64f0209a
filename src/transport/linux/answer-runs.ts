// Groups answers of a batch that the kernel gets as one message: those to one address with similar lengths. It cuts such a message into
// datagrams of one length (UDP_SEGMENT), so shorter answers grow by spaces before their Content-Length's value (HCOLON, RFC 3261 §25.1).
// @hot

import { SLOT_COUNT } from '../../sip/parser/slab.ts';
import type { Peers } from '../../sip/sources.ts';
import type { Datagrams, UdpSocket } from './linux-udp.ts';

/** Datagrams in one message: the limit of kernels since 4.18. */
const RUN_COUNT_MAX = 64;
/** Fewer are sent one by one: little is gained, and a capture on this machine shows each. */
export const RUN_COUNT_MIN = 4;
/** Answers of one length class, 2^CLASS_BITS bytes wide, form a run: none grows by so much. */
const CLASS_BITS = 5;
/** The longest that may be part of a run: it fits an Ethernet frame over IPv6. */
const RUN_BYTES_MAX = 1452;
/** The end of an answer without a body. */
const END = Buffer.from('\r\nContent-Length: 0\r\n\r\n');
/** Bytes after the colon: spaces are inserted before them. */
export const END_VALUE_BYTES = ' 0\r\n\r\n'.length;

const TABLE_SIZE = 2 * SLOT_COUNT;
const FREE = -1;

/** Whether the answer ends in `Content-Length: 0`, and so may grow. */
function mayGrow(bytes: Uint8Array, at: number, end: number): boolean {
  const from = end - END.length;
  if (from < at) return false;
  for (let i = END.length - 1; i >= 0; i--) if (bytes[from + i] !== END[i]) return false;
  return true;
}

/** The answers of one batch by runs: of run `r` the first is `head[r]`, the one after `i` is `next[i]`, -1 behind the last. */
export class AnswerRuns {
  count = 0;
  /** The longest answer that may be part of a run; lower where a device or a path to a peer carries only shorter ones. */
  bytesMax = RUN_BYTES_MAX;
  readonly head = new Int16Array(SLOT_COUNT);
  readonly next = new Int16Array(SLOT_COUNT);
  /** Number of answers in a run, and the length of the longest, in bytes. */
  readonly members = new Int16Array(SLOT_COUNT);
  readonly longest = new Int32Array(SLOT_COUNT);
  private readonly tail = new Int16Array(SLOT_COUNT);
  private readonly table = new Int16Array(TABLE_SIZE).fill(FREE);
  private readonly peers: Peers;
  private readonly ipWords: Int32Array;
  private readonly localWords: Int32Array;

  constructor(peers: Peers) {
    this.peers = peers;
    this.ipWords = new Int32Array(peers.ip.buffer, peers.ip.byteOffset, peers.ip.length >> 2);
    this.localWords = new Int32Array(peers.local.buffer, peers.local.byteOffset, peers.local.length >> 2);
  }

  clear(): void {
    if (this.count > 0) this.table.fill(FREE);
    this.count = 0;
  }

  /** Puts answer `i`, which belongs to `socket`, into a run. Callers add at most SLOT_COUNT answers. */
  add(answers: Datagrams, i: number, socket: UdpSocket): void {
    const length = answers.end[i] - answers.at[i];
    this.next[i] = -1;
    if (!socket.segments || length > this.bytesMax || !mayGrow(answers.bytes, answers.at[i], answers.end[i])) {
      this.open(i, length);
      return;
    }
    const place = this.find(answers, i, length >> CLASS_BITS);
    const run = this.table[place];
    if (run === FREE || this.members[run] === RUN_COUNT_MAX) {
      this.table[place] = this.count;
      this.open(i, length);
      return;
    }
    this.next[this.tail[run]] = i;
    this.tail[run] = i;
    this.members[run]++;
    if (length > this.longest[run]) this.longest[run] = length;
  }

  private open(i: number, length: number): void {
    const run = this.count++;
    this.head[run] = i;
    this.tail[run] = i;
    this.members[run] = 1;
    this.longest[run] = length;
  }

  /** The index in the table of the run that answer `i` may join, or of a free one. */
  private find(answers: Datagrams, i: number, lengthClass: number): number {
    const ip = answers.slot[i] << 2;
    let hash = Math.imul(this.ipWords[ip] ^ this.ipWords[ip + 3], 0x9e3779b1) ^ (answers.port[i] << 8) ^ lengthClass;
    hash = Math.imul(hash, 0x85ebca6b) >>> 16;
    for (; ; hash++) {
      const place = hash & (TABLE_SIZE - 1);
      const run = this.table[place];
      if (run === FREE) return place;
      if (this.longest[run] >> CLASS_BITS === lengthClass && this.sameWay(answers, this.head[run], i)) return place;
    }
  }

  /** Whether two answers have the same destination and the same source address. */
  private sameWay(answers: Datagrams, a: number, b: number): boolean {
    if (answers.port[a] !== answers.port[b]) return false;
    const { ipWords, localWords, peers } = this;
    const slotA = answers.slot[a];
    const slotB = answers.slot[b];
    if (peers.flow[slotA] !== peers.flow[slotB]) return false;
    const x = slotA << 2;
    const y = slotB << 2;
    for (let w = 0; w < 4; w++) {
      if (ipWords[x + w] !== ipWords[y + w] || localWords[x + w] !== localWords[y + w]) return false;
    }
    return true;
  }
}
