// How much memory the process may have: what its container has, else what the machine has.

import { totalmem } from 'node:os';

/** Bytes. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
