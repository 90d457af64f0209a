// Static bindings and aliases (RFC 3261 §10.2: other interfaces may supply contacts; mappings of addresses) as a file of the
// data directory: its form, its reader and its writer, one process at a time. static-table.ts serves lookups.

import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FileCalls } from '../../location/files/file-calls.ts';
import { SmallFile, SmallFileError } from '../../location/files/small-file.ts';

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
/** Age of an abandoned lock: its process died during a change. */
const LOCK_OLD_MS = 10_000;
const LOCK_TRIES = 100;
const LOCK_WAIT_MS = 20;

/** The content, and the reason if only its copy could be read. */
export interface StaticFound {
  readonly content: StaticContent;
  readonly problem?: string;
}

export function staticFile(data: string, calls?: FileCalls): SmallFile<StaticContent> {
  return new SmallFile(join(data, FILE), { check, ...(calls && { calls }) });
}

/** The content for lookups; empty without a file. Throws an Error that names the file where neither it nor its copy can be read. */
export function findStatic(data: string, calls?: FileCalls): StaticFound {
  const file = staticFile(data, calls);
  try {
    return file.read() ?? { content: EMPTY };
  } catch (error) {
    if (!(error instanceof SmallFileError)) throw error;
    throw new Error(
      `${file.path} is damaged, and so is its copy (${error.message}): restore it, or remove both and add the bindings and aliases anew`,
    );
  }
}

/**
 * The content, for a change or for display. Throws an Error whose message names the remedy where the file cannot be read, though its copy
 * can.
 */
export function readStatic(data: string, calls?: FileCalls): StaticContent {
  const { content, problem } = findStatic(data, calls);
  if (problem === undefined) return content;
  const { path, copy } = staticFile(data);
  throw new Error(`${path} is damaged (${problem}): lookups use its copy; put that in its place: cp ${copy} ${path}`);
}

/**
 * For a start: adds a checksum to a file from before there were checksums; sets a damaged file aside and replaces it by its copy.
 * Returns the damage, if any. Throws where nothing can be read or written.
 */
export function settleStatic(data: string, calls?: FileCalls): string | undefined {
  const file = staticFile(data, calls);
  return locked(data, () => {
    const found = file.read();
    if (found !== undefined) file.settle(found);
    return found?.problem;
  });
}

/** Replaces the content by the result of `change`, as a whole and on disk when this returns. */
export function changeStatic(data: string, change: (content: StaticContent) => StaticContent, calls?: FileCalls): void {
  locked(data, () => staticFile(data, calls).write(change(readStatic(data, calls))));
}

function locked<T>(data: string, work: () => T): T {
  const lock = join(data, LOCK);
  acquireLock(lock);
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Throws where the content does not have the form of such files. */
function check(content: unknown): StaticContent {
  const { bindings = {}, aliases = {}, ...others } = content as Record<string, unknown>;
  const sound =
    Object.keys(others).length === 0 &&
    isTable(bindings, (contacts) => Array.isArray(contacts) && contacts.every(isContact)) &&
    isTable(aliases, (aor) => typeof aor === 'string');
  if (!sound) throw new Error('it does not hold bindings and aliases');
  return { bindings, aliases } as unknown as StaticContent;
}

function isTable(value: unknown, isEntry: (value: unknown) => boolean): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isEntry);
}

function isContact(value: unknown): boolean {
  const { uri, q, path } = (value ?? {}) as Partial<Record<keyof StaticContact, unknown>>;
  const hops = path === undefined || (Array.isArray(path) && path.every((hop) => typeof hop === 'string'));
  return typeof uri === 'string' && hops && (q === undefined || typeof q === 'number');
}

function acquireLock(lock: string): void {
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
