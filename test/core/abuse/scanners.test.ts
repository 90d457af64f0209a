// The sieve for scanners that name themselves.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { Scanners } from '../../../src/core/abuse/scanners.ts';

const scanners = new Scanners(DEFAULT_ABUSE_POLICY.scannerAgents);

function sends(text: string, list = scanners, margin = 'User-Agent: sipvicious\r\n'): boolean {
  const bytes = Buffer.from(`${margin}${text}${margin}`, 'latin1');
  return list.sends(bytes, margin.length, bytes.length - margin.length);
}

const message = (row: string) =>
  `OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1\r\n${row}\r\nContent-Length: 0\r\n\r\n`;

describe('scanners', () => {
  it.each([
    'User-Agent: friendly-scanner',
    'user-agent:friendly-scanner',
    'USER-AGENT \t : \t Friendly-Scanner/2.0',
    'User-Agent: sipvicious 0.3.4',
    'User-Agent: sundayddr',
  ])('%j is one', (row) => expect(sends(message(row))).toBe(true));

  it.each([
    'User-Agent: Yealink SIP-T46S 66.84.0.15',
    'User-Agent: not a friendly-scanner',
    'User-Agent: friendly',
    'User-Agent:',
    'Server: friendly-scanner',
    'X-User-Agent: friendly-scanner',
    'User-Agents: friendly-scanner',
    'Subject: User-Agent: friendly-scanner',
  ])('%j is none', (row) => expect(sends(message(row))).toBe(false));

  it('none where the list is empty', () => {
    expect(sends(message('User-Agent: friendly-scanner'), new Scanners([]))).toBe(false);
    expect(new Scanners(['']).count).toBe(0);
  });

  it('looks at the first User-Agent and at the first 2,048 bytes', () => {
    expect(sends(message('User-Agent: Phone\r\nUser-Agent: sipvicious'))).toBe(false);
    expect(sends(message(`Subject: ${'x'.repeat(1900)}\r\nUser-Agent: sipvicious`))).toBe(true);
    expect(sends(message(`Subject: ${'x'.repeat(2100)}\r\nUser-Agent: sipvicious`))).toBe(false);
  });

  it('agrees with a plain search on any message, and never looks outside it', () => {
    const piece = fc.constantFrom(
      '\n',
      '\r\n',
      'User-Agent',
      'user-',
      'agent',
      ':',
      ' ',
      'iwar',
      'IWAR',
      'x',
      't',
      'n',
      '\nUser-Agent: ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        const first = /\nuser-agent(.*)/is.exec(text);
        const expected = first !== null && /^[ \t]*:[ \t]*iwar/i.test(first[1]);
        expect(sends(text, new Scanners(['iWar']))).toBe(expected);
      }),
      { numRuns: 3000 },
    );
  });
});
