// Access to an HTTP listener: on loopback for programs of this machine, elsewhere with its token, which lies in a file of the data
// directory. Refusals are Problems.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../location/files/small-file.ts';
import { type HttpAddress, httpUrl } from '../config/http-address.ts';
import { isLoopback } from '../config/listener-text.ts';
import { Problem } from './problem.ts';

/** The headers that decide. */
export interface AccessHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
}

/** Throws a Problem where the request is not to be answered. */
export type Access = (request: { readonly headers: AccessHeaders }) => void;

export interface ListenerAccess {
  readonly check: Access;
  /** Whether routes without anybody's data are open to all. Without a token they are for this machine alone, as everything is. */
  readonly openRoutes: boolean;
}

/** Asked for as `Authorization: Bearer …`, and the file that holds it. */
export interface HttpToken {
  readonly text: string;
  readonly file: string;
}

/**
 * @param token undefined: loopback only
 * @param ownPages whether web pages that the listener serves itself may ask
 * @throws Error where other machines could ask without a token
 */
export function listenerAccess(address: HttpAddress, token: HttpToken | undefined, ownPages: boolean): ListenerAccess {
  if (token !== undefined) return { check: withToken(token.text, token.file), openRoutes: true };
  if (isLoopback(address.host)) return { check: localOnly(ownPages), openRoutes: false };
  throw new Error(`${httpUrl(address)} can be reached from other machines and so needs a token`);
}

/** Shorter ones are none. */
const TOKEN_CHARS_MIN = 16;

/**
 * Only this machine may ask, and no web page: one that resolves its own name to 127.0.0.1 is known by its Host, one of another
 * origin by its Origin.
 */
function localOnly(ownPages: boolean): Access {
  return ({ headers }) => {
    const host = (headers.host ?? '').toLowerCase();
    const name = /^(\[[^\]]*\]|[^:]*)(:[0-9]+)?$/.exec(host)?.[1] ?? '';
    if (name !== 'localhost' && !isLoopback(name.replace(/^\[|\]$/g, '')))
      throw new Problem(403, 'foreign_host', `this listener answers as localhost and 127.0.0.1, not as "${host}"`);
    const { origin } = headers;
    if (origin !== undefined && !(ownPages && URL.canParse(origin) && new URL(origin).host === host))
      throw new Problem(403, 'foreign_origin', `web pages of ${origin} may not ask here`);
  };
}

function withToken(token: string, file: string): Access {
  const expected = digest(token);
  return ({ headers }) => {
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    const what = given === undefined ? 'send the token as "Authorization: Bearer …"' : 'the token is wrong';
    throw new Problem(401, 'token_needed', `${what}; it is in the file ${file} of the data directory`);
  };
}

/**
 * The token in a file of the data directory, readable by its owner only; made at the first start and kept, so that clients keep
 * theirs.
 */
export function openToken(data: string, name: string): string {
  const file = join(data, name);
  if (existsSync(file)) {
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= TOKEN_CHARS_MIN) {
      chmodSync(file, 0o600);
      return token;
    }
  }
  const token = randomBytes(24).toString('base64url');
  replaceFile(file, `${token}\n`);
  return token;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
