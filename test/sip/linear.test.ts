// The parser's work grows with the message and no faster, whatever the message is made of. Counted, not timed: V8 counts
// how often each block of src/sip runs.

import { type Profiler, Session } from 'node:inspector';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const session = new Session();
let slab: Uint8Array;
let parse: (at: number, end: number) => number;
const LENGTH = 24_000;

// Only code that is compiled after the counting began has counters: src/sip must not be imported before.
beforeAll(async () => {
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  ({ slab } = await import('../../src/sip/slab.ts'));
  ({ parse } = await import('../../src/sip/parser.ts'));
});

afterAll(() => {
  session.post('Profiler.stopPreciseCoverage');
  session.disconnect();
});

/** How many blocks of src/sip ran since the last call. */
function blocks(): number {
  let sum = 0;
  const add = ({ result }: Profiler.TakePreciseCoverageReturnType) => {
    for (const { url, functions } of result) {
      if (!url.includes('/src/sip/')) continue;
      for (const { ranges } of functions) for (const { count } of ranges) sum += count;
    }
  };
  session.post('Profiler.takePreciseCoverage', (_, result) => add(result));
  return sum;
}

function steps(text: string): number {
  const bytes = new TextEncoder().encode(text);
  slab.set(bytes, 0);
  blocks();
  parse(0, bytes.length);
  return blocks();
}

const START = 'REGISTER sip:h SIP/2.0\r\n';
/** Text of about `length` bytes: what comes before, the unit as often as it fits, what comes behind. */
const repeated =
  (before: string, unit: string, behind = '\r\n\r\n') =>
  (length: number) =>
    before + unit.repeat(Math.ceil(length / unit.length)) + behind;

const HOSTILE: Readonly<Record<string, (length: number) => string>> = {
  'a long body': repeated(`${START}\r\n`, 'x'),
  'leading CRLFs': repeated('', '\r\n', START),
  'a long request URI': repeated('REGISTER sip:', 'a', ' SIP/2.0\r\n\r\n'),
  'many @ in a URI': repeated('REGISTER sip:', '@', ' SIP/2.0\r\n\r\n'),
  'many rows': repeated(START, 'a:\r\n', '\r\n'),
  'bad lines': repeated(START, 'a\r\n', '\r\n'),
  folds: repeated(`${START}a: `, '\r\n ', '\r\n\r\n'),
  'bare CRs': repeated(START, '\r', '\r\n\r\n'),
  'bare LFs in a value': repeated(START, 'a:\n', '\r\n\r\n'),
  'control characters': repeated(`${START}a: `, '\0'),
  'quotes and controls': repeated(`${START}a: `, '"\\\0'),
  'spaces before a colon': repeated(`${START}a`, ' ', ':\r\n\r\n'),
  'trailing spaces': repeated(`${START}Contact: <sip:a@b>`, ' '),
  Vias: repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h'),
  'bad lower Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ',;'),
  'open quotes in Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h;a="'),
  'broken quotes in Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h;a="\\é'),
  'Via rows': repeated(START, 'v:"\r\n', '\r\n'),
  'spaces in a Via': repeated(`${START}Via: SIP/2.0/UDP`, ' '),
  semicolons: repeated(`${START}Contact: <sip:a@b>`, ';'),
  parameters: repeated(`${START}Contact: <sip:a@b>`, ';a=b'),
  'one long parameter': repeated(`${START}Contact: <sip:a@b>;a=`, 'b'),
  'one long quoted string': repeated(`${START}Contact: "`, '\\"'),
  'open brackets': repeated(`${START}Contact: `, '<'),
  Contacts: repeated(`${START}Contact: *`, ',*'),
  stars: repeated(`${START}Contact: `, '*'),
  'Contact rows': repeated(START, 'm:*\r\n', '\r\n'),
  'colons in a host': repeated(`${START}Contact: <sip:a@[`, ':', ']>\r\n\r\n'),
  'URI parameters': repeated(`${START}Contact: <sip:a@b`, ';a', '>\r\n\r\n'),
  'URI headers': repeated(`${START}Contact: <sip:a@b?`, 'a=b&', '>\r\n\r\n'),
  escapes: repeated(`${START}Contact: <sip:`, '%41', '@b>\r\n\r\n'),
  digits: repeated(`${START}CSeq: `, '0', ' REGISTER\r\n\r\n'),
  'option tags': repeated(`${START}Require: a`, ',a'),
  commas: repeated(`${START}Supported: `, ','),
};

describe('work', () => {
  it('is counted', () => {
    expect(steps(`${START}Via: SIP/2.0/UDP h\r\n\r\n`)).toBeGreaterThan(50);
  });

  it.each(Object.entries(HOSTILE))('on %s is linear', (_, text) => {
    const one = steps(text(LENGTH));
    const two = steps(text(2 * LENGTH));
    expect(two).toBeLessThan(2.2 * one + 1000);
    expect(two, 'steps per byte').toBeLessThan(40 * 2 * LENGTH);
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
