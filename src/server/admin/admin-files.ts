// What the admin listener leaves in the data directory for those who may read it: its token, and while it runs its URL.

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** For Prometheus (`credentials_file`), curl and the command line: one line, readable by the owner only. */
export const TOKEN_FILE = 'admin-token';
const URL_FILE = 'admin-url';

/** Undefined where there is none, or not for this user to read. */
export function readToken(data: string): string | undefined {
  return readLine(join(data, TOKEN_FILE));
}

export function writeUrl(data: string, url: string): void {
  writeFileSync(join(data, URL_FILE), `${url}\n`, { mode: 0o600 });
}

/** Header of a request that is for the server of one data directory, whose ID it holds. */
export const DIRECTORY_HEADER = 'aorta-directory';

/** Tells a directory from every copy of it. Throws the system's error. */
export function directoryId(data: string): string {
  const { dev, ino } = statSync(data, { bigint: true });
  return `${dev}:${ino}`;
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
