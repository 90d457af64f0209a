// One connection between two nodes: caller and callee prove themselves to each other, then frames travel both ways. A peer that
// breaks the protocol is closed.

import { randomBytes } from 'node:crypto';
import {
  FRAME_BAD,
  FRAME_HELLO,
  FRAME_PART,
  FRAME_PROOF,
  FrameReader,
  HEAD_BYTES,
  writeHead,
} from '../../cluster/peers/peer-frame.ts';
import { FRAME_BYTES_MAX, GREETING_BYTES_MAX, PROOF_MS_MAX } from '../../cluster/peers/peer-limits.ts';
import {
  CHALLENGE_BYTES,
  decodeHello,
  encodeHello,
  type Hello,
  isProof,
  proofOf,
} from '../../cluster/peers/peer-proof.ts';
import type { PeerSocket } from '../../transport/linux/linux-peers.ts';

/** Bytes read ahead, of the frame that they end in. */
const READ_BYTES_MAX = 4 * FRAME_BYTES_MAX;
/** Reads in a turn, so that other peers have theirs. */
const READS_MAX = 4;

export interface PeerUser {
  /** A node has proved itself; false: its connection is not wanted. */
  proved(peer: PeerConnection): boolean;
  /** A frame of a proved node; false where it is malformed. Its body is valid during the call. */
  frame(peer: PeerConnection, reader: FrameReader, bytes: Uint8Array): boolean;
}

export class PeerConnection {
  readonly socket: PeerSocket;
  readonly called: boolean;
  /** Whether the peer has proved itself. */
  isProved = false;
  /** Whether the peer has sent a malformed frame or failed to prove its identity. */
  isMalformed = false;
  /** The peer's claim; proved only where `isProved`. */
  node = 0;
  life = 0;
  /** The node that was called; 0: the peer called. */
  wanted = 0;
  /** Whether there may be something to read. */
  hasBytes = true;
  private readonly key: Uint8Array;
  private readonly own: Hello;
  private readonly user: PeerUser;
  private readonly reader = new FrameReader();
  private readonly since: number;
  private other: Hello | undefined;

  /** @param called whether this node called */
  constructor(
    socket: PeerSocket,
    parts: { readonly own: Omit<Hello, 'challenge'>; readonly key: Uint8Array; readonly user: PeerUser },
    called: boolean,
    now: number,
  ) {
    this.socket = socket;
    this.called = called;
    this.key = parts.key;
    this.user = parts.user;
    this.own = { ...parts.own, challenge: randomBytes(CHALLENGE_BYTES) };
    this.since = now;
    this.send(FRAME_HELLO, encodeHello(this.own));
  }

  /** Why the connection is closed; empty while it is open. */
  get failure(): string {
    return this.socket.failure;
  }

  /** Reads, and hands on complete frames. */
  work(now: number): void {
    const { socket } = this;
    for (let reads = 0; this.hasBytes && reads < READS_MAX && socket.failure === ''; reads++) {
      this.hasBytes = socket.receive(this.isProved ? READ_BYTES_MAX : 2 * GREETING_BYTES_MAX);
      this.take();
    }
    if (socket.failure !== '') return;
    if (!this.isProved && now - this.since > PROOF_MS_MAX) socket.failure = 'no proof in time';
    socket.flush();
  }

  /** Reserves the body of a frame in `socket.out` and writes its head; -1 where there is no space. `socket.commit` sends it. */
  frame(kind: number, shard: number, length: number): number {
    const at = this.socket.claim(HEAD_BYTES + length);
    if (at < 0) return -1;
    writeHead(this.socket.out, at, kind, shard, length);
    return at + HEAD_BYTES;
  }

  send(kind: number, body: Uint8Array): boolean {
    const at = this.frame(kind, 0, body.length);
    if (at < 0) return false;
    this.socket.out.set(body, at);
    this.socket.commit(HEAD_BYTES + body.length);
    return true;
  }

  private take(): void {
    const { reader, socket } = this;
    while (socket.failure === '') {
      const max = this.isProved ? FRAME_BYTES_MAX : GREETING_BYTES_MAX;
      const kind = reader.next(socket.bytes, socket.from, socket.filled, max);
      if (kind === FRAME_PART) return;
      const isGood = kind !== FRAME_BAD && this.hear(kind);
      if (!isGood) return this.malformed();
      socket.from = reader.end;
    }
  }

  private malformed(): void {
    this.isMalformed = true;
    if (this.socket.failure === '') this.socket.failure = 'it does not speak as a node of this cluster';
  }

  private hear(kind: number): boolean {
    const { reader, socket } = this;
    if (this.isProved) return this.user.frame(this, reader, socket.bytes);
    const body = socket.bytes.subarray(reader.at, reader.end);
    if (kind === FRAME_HELLO && this.other === undefined) return this.greeted(decodeHello(body));
    if (kind !== FRAME_PROOF || this.other === undefined) return false;
    if (!isProof(this.key, body, this.own, this.other, this.called)) return false;
    this.isProved = true;
    this.node = this.other.node;
    this.life = this.other.life;
    if (!this.user.proved(this)) this.socket.failure = 'it is not wanted';
    return true;
  }

  private greeted(other: Hello | null): boolean {
    if (other === null || other.cluster !== this.own.cluster || other.node === this.own.node) return false;
    this.other = other;
    return this.send(FRAME_PROOF, proofOf(this.key, this.own, other, this.called));
  }
}
