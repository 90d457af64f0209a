// The client's half of Digest, written from RFC 7616 §3.4 and RFC 2617 with Node's hashes: what the registrar's own
// arithmetic is judged by. Nothing of src/ is used here.

import { createHash } from 'node:crypto';

const HASHES: Readonly<Record<string, string>> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };

const REMEMBERED_MAX = 1000;
const remembered = new Map<string, string>();

export interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly realm?: string;
  readonly nonce: string;
  readonly method?: string;
  readonly uri?: string;
  /** Name as in challenges; none sent where undefined (MD5 then). */
  readonly algorithm?: string | undefined;
  readonly qop?: 'auth' | 'auth-int' | undefined;
  readonly nc?: number | string;
  readonly cnonce?: string;
  readonly body?: string;
  readonly opaque?: string | undefined;
  readonly userhash?: boolean;
}

export function digestOf(algorithm: string, text: string): string {
  const name = HASHES[algorithm.replace(/-sess$/, '')];
  return createHash(name).update(Buffer.from(text, 'latin1')).digest('hex');
}

/** H(user:realm:password) in hex. */
export function ha1Of(algorithm: string, username: string, realm: string, password: string): string {
  return rememberedOf(algorithm, `${username}:${realm}:${password}`);
}

/** Of what is asked for again and again: users and requests are few. */
function rememberedOf(algorithm: string, text: string): string {
  const key = `${algorithm} ${text}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  if (remembered.size === REMEMBERED_MAX) remembered.clear();
  const digest = digestOf(algorithm, text);
  remembered.set(key, digest);
  return digest;
}

export function ncText(nc: number | string): string {
  return typeof nc === 'string' ? nc : nc.toString(16).padStart(8, '0');
}

function withDefaults(login: Login) {
  return {
    username: 'alice',
    password: 'secret',
    realm: 'example.com',
    method: 'REGISTER',
    uri: 'sip:example.com',
    nc: 1,
    cnonce: '0a4f113b',
    body: '',
    ...login,
  };
}

export function responseOf(login: Login): string {
  const {
    username,
    password,
    realm,
    nonce,
    method,
    uri,
    algorithm = 'MD5',
    qop,
    nc,
    cnonce,
    body,
  } = withDefaults(login);
  const h = (text: string) => digestOf(algorithm, text);
  let a1 = ha1Of(algorithm, username, realm, password);
  if (algorithm.endsWith('-sess')) a1 = h(`${a1}:${nonce}:${cnonce}`);
  const a2 = qop === 'auth-int' ? h(`${method}:${uri}:${h(body)}`) : rememberedOf(algorithm, `${method}:${uri}`);
  return h(qop === undefined ? `${a1}:${nonce}:${a2}` : `${a1}:${nonce}:${ncText(nc)}:${cnonce}:${qop}:${a2}`);
}

/** The value of an Authorization row. */
export function authorization(login: Login): string {
  const { username, realm, nonce, uri, algorithm, qop, nc, cnonce, opaque, userhash } = withDefaults(login);
  const name = userhash ? digestOf(algorithm ?? 'MD5', `${username}:${realm}`) : username.replace(/(["\\])/g, '\\$1');
  const rows = [`username="${name}"`, `realm="${realm}"`, `nonce="${nonce}"`, `uri="${uri}"`];
  rows.push(`response="${responseOf(login)}"`);
  if (algorithm !== undefined) rows.push(`algorithm=${algorithm}`);
  if (qop !== undefined) rows.push(`qop=${qop}`, `nc=${ncText(nc)}`);
  if (qop !== undefined || algorithm?.endsWith('-sess')) rows.push(`cnonce="${cnonce}"`);
  if (opaque !== undefined) rows.push(`opaque="${opaque}"`);
  if (userhash) rows.push('userhash=true');
  return `Digest ${rows.join(', ')}`;
}
