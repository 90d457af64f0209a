// Tables at the width of a terminal: what was asked for stays whole.

import { describe, expect, it } from 'vitest';
import { tableLines } from '../../src/commands/terminal/table-lines.ts';
import { wordLines } from '../../src/commands/terminal/text-width.ts';

const HEADS = ['contact', 'expires', 'from', 'user agent', 'call-id'];
const row = (contact: string) => [contact, '3600s', 'udp:192.0.2.7:5060', 'Desk phone 3 of 2026', 'a84b4c76e66710'];
const rules = { spare: ['call-id', 'user agent'], whole: ['contact', 'expires'] };

describe('a table that is too wide', () => {
  it('leaves out what it can spare, in order', () => {
    const heads = (columns: number) => tableLines([HEADS, row('sip:alice@192.0.2.7:5060')], columns, rules)[0];
    expect(heads(200)).toMatch(/contact +expires +from +user agent +call-id/);
    expect(heads(80)).toMatch(/contact +expires +from +user agent$/);
    expect(heads(60)).toMatch(/contact +expires +from$/);
  });

  it('never cuts a whole column, and fits where it can', () => {
    for (let columns = 45; columns <= 120; columns++) {
      const lines = tableLines([HEADS, row('sip:alice@192.0.2.7:5060')], columns, rules);
      expect(lines.join('\n')).toContain('sip:alice@192.0.2.7:5060');
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    }
  });

  it('is a block of lines for each row where a whole column does not fit', () => {
    const long = `sip:alice@[2001:db8::1]:5060;transport=tls;ob;x=${'y'.repeat(60)}`;
    const lines = tableLines([HEADS, row(long), row('sip:b@192.0.2.8')], 80, rules);
    expect(lines[0]).toBe(`contact     ${long}`);
    expect(lines).toContain('call-id     a84b4c76e66710');
    expect(lines.filter((line) => line === '')).toHaveLength(1);
  });

  it('goes on below at words', () => {
    const lines = tableLines(
      [
        ['', 'what', ''],
        ['warn', 'disk', 'nearly full: remove something from it'],
      ],
      30,
      { wraps: true },
    );
    expect(lines.slice(1)).toEqual(['warn  disk  nearly full:', '            remove something', '            from it']);
    expect(wordLines('one two', 100)).toEqual(['one two']);
  });
});
