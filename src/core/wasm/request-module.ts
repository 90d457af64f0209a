// The registrar's WebAssembly module of this thread, built from simd/, over the memory that messages are parsed in
// (refresh-memory.ts): the keys of the request in the span table, and plain refreshes (quick-refresh.ts).

import { HASH_OUT } from '../../sip/parser/memory-map.ts';
import { memory } from '../../sip/parser/slab.ts';
import { instantiate } from '../../sip/parser/webassembly.ts';
import { AOR_TEXT, AOR_TEXT_BYTES, KEYS_OUT, KEYS_OUT_WORDS } from './refresh-memory.ts';
import { REFRESH_WASM } from './refresh-wasm.ts';

interface RequestModule {
  /** Of the URI record at `uri` of the table, with a key of four words: AOR into `aorText`, hash into `aorHash`; length or -1. */
  readonly takeAor: (uri: number, k0: number, k1: number, k2: number, k3: number) => number;
  /** Of a request of at most REQUEST_BYTES_MAX, with a key of four words: into `requestKeys`. */
  readonly takeKeys: (k0: number, k1: number, k2: number, k3: number) => void;
  readonly refresh: () => number;
}

export const requestModule = instantiate(REFRESH_WASM, memory) as unknown as RequestModule;

/** The canonical AOR taken last. */
export const aorText = new Uint8Array(memory.buffer, AOR_TEXT, AOR_TEXT_BYTES);
export const aorHash = new Int32Array(memory.buffer, HASH_OUT, 4);
export const requestKeys = new Int32Array(memory.buffer, KEYS_OUT, KEYS_OUT_WORDS);

/** A key of 16 bytes as words. @cold */
export function keyWords(key: Uint8Array): Int32Array {
  return new Int32Array(key.slice().buffer);
}
