// A client that logs in: reads challenges, signs REGISTERs (digest-client.ts does the arithmetic), and `aorta user` beside it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI, temporaryDirectory } from './aorta-process.ts';
import { Child } from './child-process.ts';
import { authorization, type Login } from './digest-client.ts';
import { type Answer, bindings, headers, newToken, type RegisterFields } from './sip-client.ts';

export const PASSWORD = 'secret';

/** A client of whichever transport. */
export interface Registrant {
  register(fields?: RegisterFields): string;
  request(message: string): Promise<Answer>;
}

export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string;
  readonly qop: string;
  readonly algorithm: string;
  readonly stale: boolean;
  readonly userhash: boolean;
}

/** Runs `aorta user …` on a data directory, which a server may be using. */
export async function aortaUser(data: string, args: readonly string[], input = ''): Promise<void> {
  const child = new Child(process.execPath, [CLI, 'user', ...args, '--data', data]);
  child.process.stdin?.end(input);
  const { code } = await child.end(20_000);
  if (code !== 0) throw new Error(child.output());
}

/** Makes users of a list of user@domain, all with PASSWORD. */
export async function importUsers(data: string, users: readonly string[]): Promise<void> {
  const file = join(temporaryDirectory(), 'users.csv');
  const rows = users.map((user) => `${user.replace('@', ',')},${PASSWORD}`);
  writeFileSync(file, ['username,domain,password', ...rows, ''].join('\n'));
  await aortaUser(data, ['import', file]);
}

/** A configuration file; its path. */
export function configFile(...lines: string[]): string {
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

/** What a 401 offers, row by row. */
export function challenges(answer: Answer): Challenge[] {
  return headers(answer.text, 'WWW-Authenticate').map((row) => {
    const value = (name: string): string => new RegExp(`[ ,]${name}="?([^",]*(?:,auth-int)?)"?`).exec(row)?.[1] ?? '';
    return {
      realm: value('realm'),
      nonce: value('nonce'),
      opaque: value('opaque'),
      qop: value('qop'),
      algorithm: value('algorithm'),
      stale: value('stale') === 'true',
      userhash: value('userhash') === 'true',
    };
  });
}

/** The first challenge that a REGISTER without credentials draws. */
export async function challenge(client: Registrant, fields: RegisterFields = {}): Promise<Challenge> {
  const answer = await client.request(client.register(fields));
  if (answer.status !== 401) throw new Error(`no challenge:\n${answer.text}`);
  return challenges(answer)[0];
}

/** The value of an Authorization row for a REGISTER with these fields; user and password are the AOR's unless given. */
export function credentials(fields: RegisterFields, login: Login): string {
  const [username, realm] = (fields.aor ?? 'alice@example.com').split('@');
  const uri = fields.requestUri ?? `sip:${realm}`;
  return authorization({ username, realm, uri, password: PASSWORD, qop: 'auth', algorithm: 'MD5', ...login });
}

/** A REGISTER with credentials, as text. */
export function signed(client: Registrant, fields: RegisterFields, login: Login): string {
  const row = `Authorization: ${credentials(fields, login)}`;
  return client.register({ ...fields, headers: [...(fields.headers ?? []), row] });
}

/** Registers as a phone does: challenge, then credentials. The last answer. */
export async function logIn(client: Registrant, fields: RegisterFields, login: Partial<Login> = {}): Promise<Answer> {
  const { nonce, opaque } = await challenge(client, fields);
  return client.request(signed(client, { callId: newToken(), cseq: 2, ...fields }, { nonce, opaque, ...login }));
}

/** What an AOR has, asked with its own user's password: contact URI → seconds left. */
export async function bound(client: Registrant, aor: string): Promise<Map<string, number>> {
  const answer = await logIn(client, { aor });
  if (answer.status !== 200) throw new Error(`fetch of ${aor}:\n${answer.text}`);
  return bindings(answer);
}
