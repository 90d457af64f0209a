// How two nodes prove to each other that they have the cluster's secret: each answers the other's challenge with a code over both nodes,
// their lives, both challenges, and the direction of the call. A code is valid for this connection and this direction alone.

import { createHmac, timingSafeEqual } from 'node:crypto';

const MAGIC = 0x50527431; // "1tRP"
const VERSION = 1;
export const CHALLENGE_BYTES = 32;
const PROOF_BYTES = 32;
const FIXED_BYTES = 12 + CHALLENGE_BYTES;
const NAME_BYTES_MAX = 64;
const NODE_MAX = 254;

/** First message of a peer. */
export interface Hello {
  readonly cluster: string;
  /** 1 to 254. */
  readonly node: number;
  /** Of its start. */
  readonly life: number;
  readonly challenge: Uint8Array;
}

export function encodeHello({ cluster, node, life, challenge }: Hello): Uint8Array {
  const name = new TextEncoder().encode(cluster);
  const bytes = new Uint8Array(FIXED_BYTES + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, node);
  view.setUint8(6, name.length);
  view.setUint32(8, life, true);
  bytes.set(challenge, 12);
  bytes.set(name, FIXED_BYTES);
  return bytes;
}

/** Null: the bytes are no hello, or of another version. */
export function decodeHello(bytes: Uint8Array): Hello | null {
  if (bytes.length < FIXED_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const node = view.getUint8(5);
  const length = view.getUint8(6);
  if (view.getUint32(0, true) !== MAGIC || view.getUint8(4) !== VERSION) return null;
  if (node < 1 || node > NODE_MAX || length > NAME_BYTES_MAX || bytes.length !== FIXED_BYTES + length) return null;
  return {
    cluster: new TextDecoder().decode(bytes.subarray(FIXED_BYTES)),
    node,
    life: view.getUint32(8, true),
    challenge: bytes.slice(12, FIXED_BYTES),
  };
}

/**
 * The code with which `own` answers `other`.
 * @param key derived from the cluster's secret for proofs alone
 * @param called whether `own` opened the connection
 */
export function proofOf(key: Uint8Array, own: Hello, other: Hello, called: boolean): Uint8Array {
  const mac = createHmac('sha256', key);
  mac.update(Uint8Array.of(called ? 1 : 2));
  for (const hello of [own, other]) {
    const bytes = encodeHello(hello);
    mac.update(Uint8Array.of(bytes.length)).update(bytes);
  }
  return mac.digest();
}

/** Whether `proof` is `other`'s answer to `own`. */
export function isProof(key: Uint8Array, proof: Uint8Array, own: Hello, other: Hello, called: boolean): boolean {
  return proof.length === PROOF_BYTES && timingSafeEqual(proof, proofOf(key, other, own, !called));
}
