// The parser's work grows with the message and no faster, whatever the message is made of. Counted, not timed: the module
// is run with a call at every turn of every loop and every entry of a function.

import binaryen from 'binaryen';
import { describe, expect, it } from 'vitest';
import { writeHeaderNames } from '../../src/sip/parser/header-names.ts';
import { MEMORY_PAGES } from '../../src/sip/parser/memory-map.ts';
import { PARSER_WASM } from '../../src/sip/parser/parser-wasm.ts';
import { fixedMemory, instantiate } from '../../src/sip/parser/webassembly.ts';
import { HOSTILE, START } from './hostile-messages.ts';

const LENGTH = 24_000;
const memory = fixedMemory(MEMORY_PAGES);
let count = 0;
const parse = counted();

function counted(): (at: number, end: number) => number {
  const module = binaryen.readBinary(Uint8Array.from(atob(PARSER_WASM), (character) => character.charCodeAt(0)));
  module.setFeatures(binaryen.Features.All);
  module.runPasses(['log-execution']);
  const text = btoa(Array.from(module.emitBinary(), (byte) => String.fromCharCode(byte)).join(''));
  writeHeaderNames(memory.buffer);
  return instantiate(text, memory, { log_execution: () => count++ }).parse as (at: number, end: number) => number;
}

function steps(text: string): number {
  const bytes = new TextEncoder().encode(text);
  new Uint8Array(memory.buffer).set(bytes);
  count = 0;
  parse(0, bytes.length);
  return count;
}

describe('work', () => {
  it('is counted', () => {
    expect(steps(`${START}Via: SIP/2.0/UDP h\r\n\r\n`)).toBeGreaterThan(50);
  });

  it.each(Object.entries(HOSTILE))('on %s is linear', (_, text) => {
    const one = steps(text(LENGTH));
    const two = steps(text(2 * LENGTH));
    const bytes = text(2 * LENGTH).length;
    expect(two).toBeLessThan(2.2 * one + 1000);
    expect(two, 'steps per byte').toBeLessThan(12 * bytes);
  });

  it('on 32 parameters with long names of one length is linear', () => {
    const text = (length: number) => {
      const long = 'n'.repeat(length / 32);
      const names = Array.from({ length: 32 }, (_, i) => `;${long}${String(i).padStart(2, '0')}`).join('');
      return `${START}Contact: <sip:a@b${names}>${names}\r\n\r\n`;
    };
    const one = steps(text(LENGTH / 2));
    expect(steps(text(LENGTH))).toBeLessThan(2.2 * one + 1000);
  });
});
