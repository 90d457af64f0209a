// The WebAssembly module of this thread, built from simd/, in the slab's memory: the parser (parser.ts),
// credentials (credentials.ts), keyed hashes (siphash.ts), MD5.

import { writeHeaderNames } from './header-names.ts';
import { PARSER_WASM } from './parser-wasm.ts';
import { memory } from './slab.ts';
import { instantiate } from './webassembly.ts';

interface Core {
  readonly parse: (at: number, end: number) => number;
  readonly indexOnly: (at: number, end: number) => number;
  readonly parseUriAt: (at: number, end: number) => number;
  readonly digestParams: (at: number, end: number) => number;
  readonly hashStart: (k0: number, k1: number, k2: number, k3: number) => void;
  readonly hashWords: (at: number, end: number, rounds: number) => void;
  readonly hashFinish: (at: number, end: number, length: number, rounds: number, lastRounds: number) => void;
  readonly copyBytes: (to: number, from: number, length: number) => void;
  readonly md5: (at: number, length: number, digest: number) => void;
}

writeHeaderNames(memory.buffer);

/** The exports of simd/; offsets are those of the memory. */
export const core = instantiate(PARSER_WASM, memory) as unknown as Core;
