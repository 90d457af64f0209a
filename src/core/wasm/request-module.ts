// The registrar's WebAssembly module of this thread, built from simd/, in the memory that messages are parsed in
// (module-memory.ts). It writes images, answers and keys from the request in the span table and its inputs; it decides nothing.

import { HASH_OUT } from '../../sip/parser/memory-map.ts';
import { memory } from '../../sip/parser/slab.ts';
import { instantiate } from '../../sip/parser/webassembly.ts';
import './answer-texts.ts'; // they are in its memory
import { AOR_TEXT, AOR_TEXT_BYTES, KEYS_OUT, KEYS_OUT_WORDS, TOLD, TOLD_WORDS } from './module-memory.ts';
import { WRITER_WASM } from './writer-wasm.ts';

/** Addresses are offsets in `moduleBytes`; a function that writes at `to` returns the end of its output. Details are in simd/. */
interface RequestModule {
  /** Of the URI record at `uri` of the table, with a key of four words: AOR into `aorText`, hash into `aorHash`; length or -1. */
  readonly hashAor: (uri: number, k0: number, k1: number, k2: number, k3: number) => number;
  /** Of the request, with a key of four words: into `requestKeys`. */
  readonly hashRequest: (k0: number, k1: number, k2: number, k3: number) => void;
  /** The same, with the method at METHOD_TEXT. */
  readonly hashRequestAs: (methodAt: number, methodEnd: number, k0: number, k1: number, k2: number, k3: number) => void;
  /** The image of a contact at IMAGE; returns its length. */
  readonly image: (
    contact: number,
    flags: number,
    regId: number,
    instanceAt: number,
    instanceEnd: number,
    expiresAt: number,
    refreshedAt: number,
    registeredAt: number,
    nonceId: number,
    nonceCount: number,
    isSpelled: number,
  ) => number;
  /** The keyed hash of the kept part of the image at IMAGE: into `aorHash`. */
  readonly identity: (k0: number, k1: number, k2: number, k3: number) => void;
  /** The part that every answer copies from the request, behind its status line. */
  readonly frame: (to: number) => number;
  /** A Contact row. */
  readonly contact: (
    to: number,
    texts: number,
    displayLength: number,
    uriLength: number,
    paramsLength: number,
    seconds: number,
    instanceOffset: number,
    instanceLength: number,
    epoch: number,
    cseq: number,
    regId: number,
  ) => number;
  /** The public GRUU of an instance, for the AOR at AOR_TEXT. */
  readonly publicGruu: (to: number, isSecure: number, instanceAt: number, instanceEnd: number) => number;
  /** Rows of extensions. */
  readonly extensions: (to: number, shows: number, flowTimer: number) => number;
  /** Date, Content-Length and the empty line. */
  readonly end: (to: number) => number;
  /** All of these for a refresh, at ANSWER; 0 where it would change the binding's kept part. */
  readonly refresh: (
    contact: number,
    flags: number,
    regId: number,
    instanceAt: number,
    instanceEnd: number,
    expiresAt: number,
    now: number,
    nonceId: number,
    nonceCount: number,
    shows: number,
    flowTimer: number,
  ) => number;
}

export const requestModule = instantiate(WRITER_WASM, memory) as unknown as RequestModule;

export const moduleBytes = new Uint8Array(memory.buffer);
export const toldWords = new Int32Array(memory.buffer, TOLD, TOLD_WORDS);
/** The canonical AOR computed last. */
export const aorText = new Uint8Array(memory.buffer, AOR_TEXT, AOR_TEXT_BYTES);
export const aorHash = new Int32Array(memory.buffer, HASH_OUT, 4);
export const requestKeys = new Int32Array(memory.buffer, KEYS_OUT, KEYS_OUT_WORDS);

/** A key of 16 bytes as words. @cold */
export function keyWords(key: Uint8Array): Int32Array {
  return new Int32Array(key.slice().buffer);
}
