// Views of the module's output at one place of its memory, one for each length: made once, since making one costs more than
// copying its bytes.
// @hot

import { memory } from '../../sip/parser/slab.ts';

/** Longer views are made anew each time. */
const KEPT_BELOW = 4096;

export class Views {
  private readonly at: number;
  private readonly byLength: (Uint8Array | undefined)[] = new Array(KEPT_BELOW).fill(undefined);

  /** @param at address */
  constructor(at: number) {
    this.at = at;
  }

  /** memory[at, at + length) */
  of(length: number): Uint8Array {
    return this.byLength[length] ?? this.make(length);
  }

  /** @cold */
  private make(length: number): Uint8Array {
    const view = new Uint8Array(memory.buffer, this.at, length);
    if (length < KEPT_BELOW) this.byLength[length] = view;
    return view;
  }
}
