// The log line about a refused source as the log writes it, and the fail2ban filter in docs/security.md that reads it.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Abuse, CHALLENGED, FAILED_CREDENTIALS, SUCCESS } from '../../../src/core/abuse/abuse.ts';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { createLog } from '../../../src/server/process/log.ts';
import { createPeers } from '../../../src/sip/sources.ts';

const docs = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8');
/** What fail2ban puts for <HOST>, less its names of hosts. */
const filter = new RegExp((/^failregex = (.*)$/m.exec(docs)?.[1] ?? 'none').replace('<HOST>', '(?<host>[0-9a-f.:]+)'));

/** fail2ban finds the time first, and shows the filter the line without it (checked with fail2ban-regex 1.0.2). */
const DATE: Readonly<Record<string, string>> = { Y: '\\d{4}', f: '\\d+', z: 'Z' };
const datePattern = /^datepattern = (.*)$/m.exec(docs)?.[1] ?? 'none';
const date = new RegExp(datePattern.replace(/%%([a-zA-Z])/g, (_, name: string) => DATE[name] ?? '\\d\\d'));

function filtered(text: string): RegExpExecArray | null {
  expect(text).toMatch(date);
  return filter.exec(text.trimEnd().replace(date, ''));
}

/** The line that outcomes of one source lead to. */
function line(kinds: readonly number[], ip: readonly number[] = [192, 0, 2, 1]): string {
  const peers = createPeers(1);
  peers.family[0] = ip.length === 4 ? 4 : 6;
  peers.ip.set(ip);
  const abuse = new Abuse(DEFAULT_ABUSE_POLICY, new Uint8Array(16));
  let text = '';
  const log = createLog('info', (written) => {
    text += written;
  });
  for (const kind of kinds) {
    peers.port[0] = kind === SUCCESS ? 5060 : 9;
    if (abuse.accepts(peers, 0, 1_767_225_600_000)) abuse.countResult(peers, 0, kind, 1_767_225_600_000);
    else if (abuse.reportDue) log('warn', 'source refused', { shard: 0, ...abuse.report(peers, 0) });
  }
  return text;
}

const many = (kind: number, count = 200): number[] => new Array<number>(count).fill(kind);

describe('the line about a refused source', () => {
  it('reads as documented', () => {
    const documented = /^\{"level":"warn".*$/m.exec(docs)?.[0] ?? '';
    const time = /"time":"[^"]*"/;
    expect(line(many(FAILED_CREDENTIALS)).replace(time, '')).toBe(`${documented.replace(time, '')}\n`);
  });

  it('is matched by the fail2ban filter', () => {
    expect(filtered(line(many(FAILED_CREDENTIALS)))?.groups?.host).toBe('192.0.2.1');
    const ipv6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    expect(filtered(line(many(FAILED_CREDENTIALS), ipv6))?.groups?.host).toBe('2001:db8::1');
  });

  it('is matched as fail2ban reads it from the journal: whole, behind host, program and process', () => {
    const message = line(many(FAILED_CREDENTIALS)).trimEnd();
    expect(filter.exec(`sip1 env[4711]: ${message}`)?.groups?.host).toBe('192.0.2.1');
    expect(filter.exec(`sip1 env[4711]: said ${message}`)).toBeNull();
    expect(docs).toMatch(/^journalmatch = _SYSTEMD_UNIT=aorta\.service$/m);
  });

  it('is not matched where somebody registered lately, or only challenges went unanswered', () => {
    const office = line([SUCCESS, ...many(FAILED_CREDENTIALS)]);
    expect(office).toContain('"successes":1');
    expect(filtered(office)).toBeNull();
    const flood = line(many(CHALLENGED, 5000));
    expect(flood).toContain('unanswered-challenges');
    expect(filtered(flood)).toBeNull();
  });
});
