// AssemblyScript: the entry of the registrar's module, compiled to WebAssembly by scripts/wasm.js. The keys of the request in the
// span table, and a plain refresh: is it the binding's, and what does it draw? As plain-refresh.ts and registrar.ts do it in
// TypeScript, byte by byte; quick-refresh.ts says when it is asked.

import { HASH_OUT } from '../../../sip/parser/memory-map.ts';
import { hashFinish, hashStart } from '../../../sip/simd/siphash.ts';
import { KEPT } from '../../binding/image-layout.ts';
import { IMAGE, IN_IDENTITY, IN_IDENTITY_KEY } from '../refresh-memory.ts';
import { writeAnswer } from './answer.ts';
import { writeKept } from './image.ts';
import { takeAor, takeKeys } from './keys.ts';
import { told } from './table.ts';

export { takeAor, takeKeys };

/** Length of the 200 at ANSWER; 0 where the request would leave another binding. */
export function refresh(): i32 {
  const end = writeKept();
  const kept = IMAGE + KEPT;
  hashStart(told(IN_IDENTITY_KEY), told(IN_IDENTITY_KEY + 1), told(IN_IDENTITY_KEY + 2), told(IN_IDENTITY_KEY + 3));
  hashFinish(kept, end, end - kept, 1, 3);
  if (load<i32>(HASH_OUT) != told(IN_IDENTITY) || (load<i32>(HASH_OUT, 4) | 1) != told(IN_IDENTITY + 1)) return 0;
  return writeAnswer();
}
