// Frames between nodes over a connection: a head of eight bytes and a body. Encodes and decodes them; no frame of a
// peer makes it throw. peer-proof.ts authenticates the peer. @hot

import { createPeers, type Peers, TRANSPORT_NAMES } from '../../sip/sources.ts';

/** The identity that a peer claims, and its challenge to the other one. */
export const FRAME_HELLO = 1;
export const FRAME_PROOF = 2;
export const FRAME_BEAT = 3;
/** A request for a shard: a row and the message. */
export const FRAME_REQUEST = 4;
/** The answer to one: the row as it came, and the message. */
export const FRAME_ANSWER = 5;
/** Connections of the sender that have ended: the number of the first, then tokens. */
export const FRAME_ENDED = 6;
/** Number of ended connections that the sender has recorded. */
export const FRAME_ENDED_TAKEN = 7;

// Head: u32 length of the body; u8 kind; u8 0; u16 shard
export const HEAD_BYTES = 8;
// Row: u8 transport, listener, family, via; u8 node, 0; u16 port; u32 flow; u32 0; u8 ip[16]; u8 local[16]
export const ROW_BYTES = 48;

/** Not the beginning of a frame: the connection must not be read any more. */
export const FRAME_BAD = -1;
/** The frame is incomplete. */
export const FRAME_PART = 0;

const VIA_MAX = 15;

/** Reads frames from bytes that arrive in pieces. */
export class FrameReader {
  kind = 0;
  shard = 0;
  /** Start of the body. */
  at = 0;
  end = 0;

  /** Reads bytes[at, end): FRAME_PART, FRAME_BAD, or the kind of a frame, whose body is [this.at, this.end). */
  next(bytes: Uint8Array, at: number, end: number, bodyMax: number): number {
    if (end - at < HEAD_BYTES) return FRAME_PART;
    const length = word(bytes, at);
    if (length > bodyMax) return FRAME_BAD;
    const kind = bytes[at + 4];
    if (kind < FRAME_HELLO || kind > FRAME_ENDED_TAKEN || bytes[at + 5] !== 0) return FRAME_BAD;
    if (end - at < HEAD_BYTES + length) return FRAME_PART;
    this.kind = kind;
    this.shard = bytes[at + 6] | (bytes[at + 7] << 8);
    this.at = at + HEAD_BYTES;
    this.end = this.at + length;
    return kind;
  }
}

export function writeHead(into: Uint8Array, at: number, kind: number, shard: number, length: number): void {
  setWord(into, at, length);
  into[at + 4] = kind;
  into[at + 5] = 0;
  into[at + 6] = shard & 255;
  into[at + 7] = shard >>> 8;
}

export function writeRow(into: Uint8Array, at: number, peers: Peers, row: number): void {
  into[at] = peers.transport[row];
  into[at + 1] = peers.listener[row];
  into[at + 2] = peers.family[row];
  into[at + 3] = peers.answeredByMain[row];
  into[at + 4] = peers.node[row];
  into[at + 5] = 0;
  into[at + 6] = peers.port[row] & 255;
  into[at + 7] = peers.port[row] >>> 8;
  setWord(into, at + 8, peers.flow[row]);
  setWord(into, at + 12, 0);
  const ip = row << 4;
  for (let i = 0; i < 16; i++) {
    into[at + 16 + i] = peers.ip[ip + i];
    into[at + 32 + i] = peers.local[ip + i];
  }
}

/** Reads a row; false: it is invalid. */
export function readRow(bytes: Uint8Array, at: number, end: number, peers: Peers, row: number): boolean {
  if (end - at < ROW_BYTES) return false;
  const family = bytes[at + 2];
  if (bytes[at] >= TRANSPORT_NAMES.length || bytes[at + 3] > VIA_MAX || (family !== 4 && family !== 6 && family !== 0))
    return false;
  peers.transport[row] = bytes[at];
  peers.listener[row] = bytes[at + 1];
  peers.family[row] = family;
  peers.answeredByMain[row] = bytes[at + 3];
  peers.node[row] = bytes[at + 4];
  peers.port[row] = bytes[at + 6] | (bytes[at + 7] << 8);
  peers.flow[row] = word(bytes, at + 8);
  const ip = row << 4;
  for (let i = 0; i < 16; i++) {
    peers.ip[ip + i] = bytes[at + 16 + i];
    peers.local[ip + i] = bytes[at + 32 + i];
  }
  return true;
}

export function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

export function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** One row, for a waiting request. @cold */
export function oneRow(): Peers {
  return createPeers(1);
}
