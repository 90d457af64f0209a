// `aorta bench parse` as a user runs it: over a file, a directory, and the messages it ships.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TYPICAL_MESSAGES } from '../../src/commands/bench/sample-messages.ts';
import { pcapng, udpPacket } from '../support/captures.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'aorta-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

function aorta(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'bench', 'parse', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('aorta bench parse', () => {
  it('measures the messages of a directory', () => {
    writeFileSync(join(folder, 'register.sip'), TYPICAL_MESSAGES[0]);
    writeFileSync(join(folder, 'broken.sip'), TYPICAL_MESSAGES[1].replace('CSeq: 20', 'CSeq: x'));
    writeFileSync(join(folder, 'empty'), '');
    const { status, stdout } = aorta(folder, '--json', '--seconds', '0.1');
    expect(status).toBe(0);
    const { sets } = JSON.parse(stdout);
    expect(sets).toHaveLength(1);
    const { messages, malformed, faults, whole, parse, index, shares } = sets[0];
    expect([messages, malformed]).toEqual([2, { 14: 1 }]);
    expect(faults).toEqual([{ message: join(folder, 'broken.sip'), code: 14, offset: expect.any(Number) }]);
    for (const { best } of [whole, parse, index]) expect(best).toBeGreaterThan(0);
    expect(shares.copyIn + shares.index + shares.values + shares.readBack).toBeCloseTo(1, 1);
  });

  it('has a corpus of its own, and says what it compares with', () => {
    const { status, stdout } = aorta('--seconds', '0.1', '--compare');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^typical: 8 messages/m);
    expect(stdout).toMatch(/^varied: 1,024 messages/m);
  });

  it('reads captures, names what is malformed in them, and draws a chart', () => {
    const capture = join(folder, 'monday.pcapng');
    const chart = join(folder, 'chart.svg');
    writeFileSync(
      capture,
      pcapng([udpPacket(TYPICAL_MESSAGES[0]), udpPacket('OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n')]),
    );
    const { status, stdout, stderr } = aorta(capture, '--markdown', '--svg', chart, '--seconds', '0.1');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /\| .*monday\.pcapng \| Aorta: copy in, parse, read 30 fields \| [\d,]+ \| [\d,]+ \| [\d,]+ \| \d+ MB\/s \|/,
    );
    expect(stdout).toMatch(/^- .*monday\.pcapng, packet 2: Malformed Via at byte \d+$/m);
    expect(readFileSync(chart, 'utf8')).toMatch(/^<svg [\s\S]*2 messages[\s\S]*<rect [\s\S]*<\/svg>\n$/);
  });

  it.each([
    [['/nowhere/at/all'], 'no such file'],
    [[tmpdir(), '--seconds', '0'], "--seconds: '0' is no time"],
  ])('refuses %j', (args, words) => {
    const { status, stderr } = aorta(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });
});
