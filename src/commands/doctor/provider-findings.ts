// Findings of `aorta doctor` on the providers of users: the web service or the database, and the issuer of access tokens. Each
// must answer a question about a user that does not exist. Reads only.

import type { Config } from '../../server/config/config.ts';
import { reasonOf } from '../../server/process/reason-of.ts';
import { UnusableUserError } from '../../server/users/found-user.ts';
import { httpSource } from '../../server/users/http-source.ts';
import type { UserSource } from '../../server/users/user-provider.ts';
import type { Finding } from './damage-findings.ts';

const NOBODY = 'aorta-doctor';

export async function providerFindings({ auth, policy: { domains } }: Config): Promise<Finding[]> {
  const realm = domains.find((name) => name !== '*') ?? 'localhost';
  const { http, sql } = auth.provider ?? {};
  const { tokens } = auth;
  const findings: Finding[] = [];
  const ask = async (what: string, source: UserSource, timeoutMs: number, token?: string) => {
    findings.push(await finding(what, source, { name: NOBODY, realm, token }, timeoutMs));
    await source.close?.();
  };
  if (http !== undefined) await ask('user service', httpSource(http), http.limits.timeoutMs);
  if (sql !== undefined) {
    const { sqlSource } = await import('../../server/users/sql/sql-source.ts');
    await ask('user database', await sqlSource(sql, sql.limits.timeoutMs), sql.limits.timeoutMs);
  }
  if (tokens === undefined) return findings;
  const { tokenSource } = await import('../../server/users/tokens/token-source.ts');
  const { jwks, introspection, ...rest } = tokens;
  const token = unsignedToken(tokens.algorithms[0]);
  const sources = { 'keys of tokens': jwks && { jwks }, 'issuer of tokens': introspection && { introspection } };
  for (const [what, source] of Object.entries(sources)) {
    if (source === undefined) continue;
    const asked = tokenSource({ ...rest, ...source, domains: [realm] }, [realm], Date.now);
    await ask(what, asked, tokens.limits.timeoutMs, token);
  }
  return findings;
}

async function finding(
  what: string,
  source: UserSource,
  question: Parameters<UserSource['find']>[0],
  timeoutMs: number,
): Promise<Finding> {
  const began = performance.now();
  const answers = (): Finding => ({
    what,
    verdict: 'ok',
    detail: `answers in ${Math.ceil(performance.now() - began)} ms`,
  });
  try {
    await source.find(question, AbortSignal.timeout(timeoutMs));
    return answers();
  } catch (error) {
    if (error instanceof UnusableUserError) return answers();
    const late = (error as Error).name === 'TimeoutError';
    return { what, verdict: 'bad', detail: late ? `no answer within ${timeoutMs} ms` : reasonOf(error) };
  }
}

/** A token without a valid signature, in a form for which the issuer's keys must be fetched. */
function unsignedToken(alg: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg, kid: NOBODY })}.${part({ sub: NOBODY, exp: 1 })}.${Buffer.alloc(64).toString('base64url')}`;
}
