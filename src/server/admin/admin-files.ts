// Files of the admin listener in the data directory, for users who may read them: its token, and its URL while it runs.

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The token for Prometheus (`credentials_file`), curl and the command line: one line, readable by the owner only. */
export const TOKEN_FILE = 'admin-token';
const URL_FILE = 'admin-url';

/** The token; undefined where there is none, or this user may not read it. */
export function readToken(data: string): string | undefined {
  return readLine(join(data, TOKEN_FILE));
}

export function writeUrl(data: string, url: string): void {
  writeFileSync(join(data, URL_FILE), `${url}\n`, { mode: 0o600 });
}

/** Header that limits a request to the server of one data directory; its value is the directory's ID. */
export const DIRECTORY_HEADER = 'aorta-directory';

/** ID that tells a directory from every copy of it. Throws the system's error. */
export function directoryId(data: string): string {
  const { dev, ino } = statSync(data, { bigint: true });
  return `${dev}:${ino}`;
}

export function removeUrl(data: string): void {
  rmSync(join(data, URL_FILE), { force: true });
}

/** The URL; undefined where no server with an admin listener runs on the data directory. */
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
