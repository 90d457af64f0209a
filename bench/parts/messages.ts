// Puts messages where the parser reads them.

import { SLOT_COUNT, slab, slotStart } from '../../src/sip/parser/slab.ts';

/** Messages packed into the slab: all slots are one memory, so more messages fit than slots. */
export interface LoadedMessages {
  readonly at: Int32Array;
  readonly end: Int32Array;
  readonly meanBytes: number;
}

/** Puts the messages into the slab, several to a slot if need be, each with slack behind it. */
export function loadMessages(messages: readonly string[]): LoadedMessages {
  const at = new Int32Array(messages.length);
  const end = new Int32Array(messages.length);
  const used = new Int32Array(SLOT_COUNT);
  let total = 0;
  for (const [n, text] of messages.entries()) {
    const slot = n % SLOT_COUNT;
    at[n] = slotStart(slot) + used[slot];
    end[n] = at[n] + text.length;
    for (let i = 0; i < text.length; i++) slab[at[n] + i] = text.charCodeAt(i);
    used[slot] += text.length + 64;
    total += text.length;
  }
  return { at, end, meanBytes: Math.round(total / messages.length) };
}
