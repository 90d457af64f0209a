// What the admin listener leaves in the data directory for those who may read it: its token, and while it runs its URL.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** For Prometheus (`credentials_file`), curl and the command line: one line, readable by the owner only. */
const TOKEN_FILE = 'admin-token';
const URL_FILE = 'admin-url';

/** The data directory's token; made at the first start and kept, so that whoever was given it need not be told again. */
export function openToken(data: string): string {
  const file = join(data, TOKEN_FILE);
  if (existsSync(file)) {
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= 16) {
      chmodSync(file, 0o600);
      return token;
    }
  }
  const token = randomBytes(24).toString('base64url');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  chmodSync(file, 0o600); // an existing file keeps its mode otherwise
  return token;
}

/** Undefined where there is none, or not for this user to read. */
export function readToken(data: string): string | undefined {
  return readLine(join(data, TOKEN_FILE));
}

export function writeUrl(data: string, url: string): void {
  writeFileSync(join(data, URL_FILE), `${url}\n`);
}

export function removeUrl(data: string): void {
  rmSync(join(data, URL_FILE), { force: true });
}

/** Undefined where no server with an admin listener runs on the data directory. */
export function readUrl(data: string): string | undefined {
  return readLine(join(data, URL_FILE));
}

function readLine(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
