// Static bindings and aliases (RFC 3261 §10.2: other interfaces may supply contacts; mappings of addresses) as a file of the
// data directory: its form, reading it, and changing it, by one process at a time. What lookups make of it is static-table's.

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface StaticContact {
  /** A URI, without brackets. */
  readonly uri: string;
  /** 0 to 1; 1 where there is none. */
  readonly q?: number;
  /** Path values, topmost first, with their brackets. */
  readonly path?: readonly string[];
}

/** By canonical AOR, user@host. */
export interface StaticContent {
  readonly bindings: Readonly<Record<string, readonly StaticContact[]>>;
  readonly aliases: Readonly<Record<string, string>>;
}

const EMPTY: StaticContent = { bindings: {}, aliases: {} };
const FILE = 'static.json';
const LOCK = 'static.lock';
/** Whoever died while it changed the file has left its lock. */
const LOCK_OLD_MS = 10_000;
const LOCK_TRIES = 100;
const LOCK_WAIT_MS = 20;

export function staticFile(data: string): string {
  return join(data, FILE);
}

/** The content; empty where there is no file. Throws an Error that names the file where it cannot be read. */
export function readStatic(data: string): StaticContent {
  const file = staticFile(data);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw error;
  }
  try {
    const { bindings, aliases } = JSON.parse(text) as Partial<StaticContent>;
    if (isTable(bindings ?? {}) && isTable(aliases ?? {})) return { bindings: bindings ?? {}, aliases: aliases ?? {} };
  } catch {
    // as if it were another form
  }
  throw new Error(`${file} is damaged: restore it, or remove it and add the bindings and aliases anew`);
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Replaces the content by what `change` makes of it, as a whole and on disk when this returns. */
export function changeStatic(data: string, change: (content: StaticContent) => StaticContent): void {
  const lock = join(data, LOCK);
  takeLock(lock);
  try {
    const next = `${staticFile(data)}.${randomBytes(4).toString('hex')}`;
    const text = `${JSON.stringify(change(readStatic(data)), null, 1)}\n`;
    const fd = openSync(next, 'wx', 0o600);
    try {
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(next, staticFile(data));
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock: string): void {
  for (let tries = 0; ; tries++) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > LOCK_OLD_MS) rmSync(lock, { force: true });
    else if (tries === LOCK_TRIES) throw new Error(`${lock} is held: another process changes static bindings`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_WAIT_MS);
  }
}
