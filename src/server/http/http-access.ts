// Access to an HTTP listener: on loopback for programs of this machine, elsewhere with its token from a file of the data directory.
// Refusals are Problems.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../location/files/small-file.ts';
import { type HttpAddress, httpUrl } from '../config/http-address.ts';
import { isLoopback } from '../config/listener-text.ts';
import { Problem } from './problem.ts';

/** The headers that decide about access. */
export interface AccessHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
}

/** Throws a Problem where the request is refused. */
export type Access = (request: { readonly headers: AccessHeaders }) => void;

export interface ListenerAccess {
  readonly check: Access;
  /** Whether routes without data are open to all. Without a token they are for this machine alone, like all others. */
  readonly openRoutes: boolean;
}

/**
 * @param token undefined: loopback only
 * @param ownPages whether web pages of the listener itself may ask
 * @throws Error where other machines could ask without a token
 */
export function listenerAccess(address: HttpAddress, token: HttpToken | undefined, ownPages: boolean): ListenerAccess {
  if (token !== undefined) return { check: withToken(token), openRoutes: true };
  if (isLoopback(address.host)) return { check: localOnly(ownPages), openRoutes: false };
  throw new Error(`${httpUrl(address)} can be reached from other machines and so needs a token`);
}

/** Shorter texts are no tokens. */
const TOKEN_CHARS_MIN = 16;
/** Shortest time between two reads of the file because of wrong tokens. */
const LOOK_AGAIN_MS = 1000;

/**
 * Only this machine may ask, and no web page: a page whose own name resolves to 127.0.0.1 is recognized by its Host, one of another
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

function withToken(token: HttpToken): Access {
  return ({ headers }) => {
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given !== undefined && token.is(given)) return;
    const what = given === undefined ? 'send the token as "Authorization: Bearer …"' : 'the token is wrong';
    throw new Problem(401, 'token_needed', `${what}; it is in the file ${token.name} of the data directory`);
  };
}

/**
 * The token, required as `Authorization: Bearer …`. It is in a file of the data directory, readable by its owner only; made at the first
 * start and kept, so that clients keep theirs. Another one in the file is valid from its first use, or a reload, and the former one no
 * more.
 */
export class HttpToken {
  /** Name of the file. */
  readonly name: string;
  private readonly file: string;
  private readonly changed: () => void;
  private expected: Buffer;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private isNew = false;

  /** @param changed is called after a change of the token. Throws the system's error. */
  constructor(data: string, name: string, changed: () => void) {
    this.name = name;
    this.file = join(data, name);
    this.changed = changed;
    this.expected = digest(this.readOrMake());
  }

  is(given: string): boolean {
    if (timingSafeEqual(digest(given), this.expected)) return true;
    const now = performance.now();
    if (now - this.lookedAt < LOOK_AGAIN_MS) return false;
    this.lookedAt = now;
    const token = this.readOrNothing();
    if (token === undefined || !timingSafeEqual(digest(given), digest(token))) return false;
    this.accept(token);
    return true;
  }

  /** Reads the file again, or makes it; returns whether the token has changed since the last reload. Throws the system's error. */
  reload(): boolean {
    this.accept(this.readOrMake());
    const { isNew } = this;
    this.isNew = false;
    return isNew;
  }

  private accept(token: string): void {
    const expected = digest(token);
    if (timingSafeEqual(expected, this.expected)) return;
    this.expected = expected;
    this.isNew = true;
    this.changed();
  }

  private readOrMake(): string {
    const found = this.read();
    if (found !== undefined) {
      chmodSync(this.file, 0o600);
      return found;
    }
    const token = randomBytes(24).toString('base64url');
    replaceFile(this.file, `${token}\n`);
    return token;
  }

  /** An unreadable file is reported by a reload. */
  private readOrNothing(): string | undefined {
    try {
      return this.read();
    } catch {
      return undefined;
    }
  }

  private read(): string | undefined {
    if (!existsSync(this.file)) return undefined;
    const token = readFileSync(this.file, 'utf8').trim();
    return token.length < TOKEN_CHARS_MIN ? undefined : token;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
