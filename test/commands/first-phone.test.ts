// What a start says of the first phone: a domain that is served, at an address that a phone can send to.

import { expect, it } from 'vitest';
import { firstPhone } from '../../src/commands/terminal/first-phone.ts';
import { spellAsFile } from '../../src/server/config/config-problem.ts';
import { createConfig } from '../../src/server/config/create-config.ts';

function said(values: Record<string, unknown>): string {
  const config = createConfig([{ values, spell: spellAsFile, where: (path) => ({ name: path.join('.'), order: 0 }) }]);
  return firstPhone(config, config.listen, 0);
}

const OPEN = { auth: 'none', 'allow-unauthenticated': true };

it.each([
  [{ listen: 'udp:127.0.0.1:5060' }, /^register sip:alice@localhost \(any user\) at registrar 127\.0\.0\.1:5060/],
  [{ ...OPEN, listen: 'udp:192.0.2.2:5777' }, /^register sip:alice@192\.0\.2\.2 .* at registrar 192\.0\.2\.2:5777/],
  [{ ...OPEN, listen: 'udp:[2001:db8::1]:5060' }, /^register sip:alice@\[2001:db8::1\] /],
  [{ ...OPEN, listen: 'udp:0.0.0.0:5060' }, /^phones of this machine alone, .* --domain/],
  [
    { ...OPEN, listen: 'udp:0.0.0.0:5060', domains: '*' },
    /^register sip:alice@example\.com \(any user and domain\) .*port 5060/,
  ],
  [{ ...OPEN, listen: 'udp:0.0.0.0:5060', domains: ['*', 'a.example'] }, /^register sip:alice@a\.example /],
  [{ listen: 'udp:0.0.0.0:5060', domains: 'a.example' }, /"aorta user add alice@a\.example /],
])('%j', (values, wanted) => {
  expect(said(values)).toMatch(wanted);
});

it('an address of its own is served where no domain is configured, and not where one is', () => {
  const domains = (values: Record<string, unknown>) =>
    createConfig([{ values, spell: spellAsFile, where: (path) => ({ name: path.join('.'), order: 0 }) }]).policy
      .domains;
  expect(domains({ listen: ['udp:192.0.2.2:5060', 'tcp:192.0.2.2:5060', 'udp:0.0.0.0:5061'] })).toEqual([
    'localhost',
    '127.0.0.1',
    '192.0.2.2',
  ]);
  expect(domains({ listen: 'udp:192.0.2.2:5060', domains: 'a.example' })).toEqual(['a.example']);
});
