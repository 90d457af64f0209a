// The memory that the process may have: its container's limit, else the machine's memory.

import { totalmem } from 'node:os';

/** The limit in bytes. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
