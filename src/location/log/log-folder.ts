// Finds the generations of a log in the shard's `log` folder: a manifest names the log and its oldest generation, and each generation names its log
// and number. Foreign files are moved aside and reported, never removed.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import { readAround } from './around.ts';
import { FrameSearch, GenerationFile, isOfTree, PAGE_BYTES } from './generation/generation-file.ts';
import { type GenerationHead, HEAD_PAGE, readHead } from './generation/generation-head.ts';
import type { LogProblems, LogSource } from './log.ts';
import { mixWords } from './log-frame.ts';

const FOLDER = 'log';
const SUFFIX = '.mdb';
const GENERATION = /^\d{10}\.mdb$/;
const MANIFEST = 'manifest';
const DAMAGED = 'damaged';

const META_PAGES = 2;
/** The unit that a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

export interface FolderFound {
  /** Name of the log: 16 hexadecimal digits. */
  readonly name: string;
  /** Numbers of its generations, ascending. */
  readonly generations: readonly number[];
  /** Of the oldest generation that was not dropped. */
  readonly first: number;
  /** As Log.droppedAt. */
  readonly droppedAt: number;
  readonly problems: LogProblems;
}

/** Content of the manifest. */
export interface Manifest {
  readonly name: string;
  /** Of the oldest generation that was not dropped. */
  readonly first: number;
  /** As Log.droppedAt. */
  readonly droppedAt: number;
}

/** @param directory of the shard */
export function generationPath(directory: string, number: number): string {
  return join(directory, FOLDER, `${String(number).padStart(10, '0')}${SUFFIX}`);
}

/** Names of a shard's log files for a copy, below its directory, oldest first. */
export function logFiles(directory: string): string[] {
  const folder = join(directory, FOLDER);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => GENERATION.test(name) || name === MANIFEST);
  return names.sort().map((name) => join(FOLDER, name));
}

/** Whether a name of logFiles() is one of a generation. */
export function isGeneration(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/** Folder for a shard's damaged data. */
export function damagedFolder(directory: string): string {
  return join(directory, DAMAGED);
}

/**
 * Reads the folder, which is made if it is missing.
 * @param directory of the shard @param generationBytes span of a generation's addresses
 */
export function openFolder(directory: string, generationBytes: number): FolderFound {
  const folder = join(directory, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = readdirSync(folder);
  for (const name of names)
    if (name.endsWith('-lock') || name.endsWith('.new')) rmSync(join(folder, name), { force: true });
  const files = names.filter((name) => GENERATION.test(name)).sort();
  const heads = files.map((name) => readHead(join(folder, name)));
  const manifest = readManifest(join(folder, MANIFEST));
  const aside: string[] = [];
  const unfinished: string[] = [];
  if (manifest === null) aside.push(moveAside(directory, MANIFEST));
  const name = mostNamed(heads, manifest?.name) ?? randomBytes(8).toString('hex');
  const first = manifest?.name === name ? manifest.first : 0;
  const generations: number[] = [];
  for (const [i, file] of files.entries()) {
    const number = Number(file.slice(0, -SUFFIX.length));
    const head = heads[i];
    const belongs = head
      ? head.name === name && head.number === number
      : hasFrames(join(folder, file), number, generationBytes);
    if (!belongs && i === files.length - 1 && isUnfinished(join(folder, file))) {
      unlinkSync(join(folder, file));
      unfinished.push(join(folder, file));
    } else if (!belongs) aside.push(moveAside(directory, file));
    else if (number < first)
      unlinkSync(join(folder, file)); // it was dropped: a power cut restored the name
    else generations.push(number);
  }
  const missing: number[] = [];
  const last = generations.at(-1) ?? first - 1;
  for (let number = first; number < last; number++) if (!generations.includes(number)) missing.push(number);
  const isFresh = manifest?.name !== name;
  const oldest = isFresh ? (generations[0] ?? 0) : first;
  const droppedAt = isFresh ? (oldest === 0 ? 0 : Number.POSITIVE_INFINITY) : manifest.droppedAt;
  if (isFresh) writeManifest(directory, { name, first: oldest, droppedAt });
  return {
    name,
    generations,
    first: oldest,
    droppedAt,
    problems: { aside, unfinished, missing: isFresh ? [] : missing },
  };
}

/** Sets the oldest generation: those before are dropped. @param synced the manifest survives a power cut */
export function writeManifest(directory: string, manifest: Manifest, synced = true): void {
  const folder = join(directory, FOLDER);
  const path = join(folder, MANIFEST);
  const fd = openSync(`${path}.new`, 'w', 0o600);
  try {
    const text = Buffer.from(manifestText(manifest));
    if (writeSync(fd, text) < text.length) throw new Error(`${path}: written in part`);
    if (synced) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
  if (synced) syncPath(folder);
}

/** The log that most generations name; the manifest counts as one, and decides a tie. */
function mostNamed(heads: readonly (GenerationHead | undefined)[], manifest: string | undefined): string | undefined {
  const votes = new Map<string, number>();
  if (manifest !== undefined) votes.set(manifest, 1);
  for (const head of heads) if (head !== undefined) votes.set(head.name, (votes.get(head.name) ?? 0) + 1);
  let most = manifest;
  for (const [name, count] of votes) if (most === undefined || count > (votes.get(most) ?? 0)) most = name;
  return most;
}

/** Whether a file whose head cannot be read has frames of generation `number`, or cannot be read elsewhere either. */
function hasFrames(path: string, number: number, generationBytes: number): boolean {
  const file = new GenerationFile(path);
  let isUnreadable = false;
  const unreadable = () => {
    isUnreadable = true;
  };
  try {
    const search = new FrameSearch();
    for (
      let found = search.find(file, 0, unreadable);
      found !== null;
      found = search.find(file, found.offset + 8, unreadable)
    ) {
      if (Math.floor(found.address / generationBytes) === number) return true;
    }
    return isUnreadable;
  } finally {
    file.close();
  }
}

/**
 * Whether the creation of a file was interrupted: the file is LMDB's or empty, and has no bytes at the place of its head. Any later bytes are
 * a part of a batch that was never settled, since the head is settled with the first batch.
 */
function isUnfinished(path: string): boolean {
  const bytes = readFileSync(path);
  for (let at = 0; at < META_PAGES * PAGE_BYTES; at += PAGE_BYTES) {
    const page = bytes.subarray(at, at + PAGE_BYTES);
    if (!isOfTree(page) && page.some((byte) => byte !== 0)) return false;
  }
  const head = HEAD_PAGE * PAGE_BYTES;
  return bytes.subarray(head, head + SECTOR_BYTES).every((byte) => byte === 0);
}

/** Moves a file of the log's folder to the damaged ones; returns its new path. */
export function moveAside(directory: string, name: string): string {
  const damaged = damagedFolder(directory);
  mkdirSync(damaged, { recursive: true, mode: 0o700 });
  let to = join(damaged, name);
  for (let n = 2; existsSync(to); n++) to = join(damaged, `${name}.${n}`);
  renameSync(join(directory, FOLDER, name), to);
  syncPath(damaged);
  syncPath(join(directory, FOLDER));
  return to;
}

function manifestText({ name, first, droppedAt }: Manifest): string {
  const text = `aorta log ${name} from ${first}${Number.isFinite(droppedAt) ? ` dropped ${droppedAt}` : ''}`;
  return `${text} sum ${textSum(text)}\n`;
}

/** Undefined: there is no manifest; null: it is damaged. */
function readManifest(path: string): Manifest | undefined | null {
  if (!existsSync(path)) return undefined;
  try {
    const text = readFileSync(path, 'latin1');
    const match = /^aorta log ([0-9a-f]{16}) from (\d+)(?: dropped (\d+))? sum /.exec(text);
    if (match === null) return null;
    const [, name, first, droppedAt = Number.POSITIVE_INFINITY] = match;
    const manifest = { name, first: Number(first), droppedAt: Number(droppedAt) };
    return text === manifestText(manifest) ? manifest : null;
  } catch {
    return null;
  }
}

function textSum(text: string): string {
  const words = Uint32Array.from(Buffer.from(text, 'latin1'));
  return mixWords(words, 0, words.length).toString(16).padStart(8, '0');
}

/** Keeps a copy of damaged bytes, where that is possible: they are counted and told in any case. */
export function keepDamaged(log: LogSource, directory: string, place: number, length: number): void {
  try {
    const bytes = new Uint8Array(length);
    const end = readAround(log, place, bytes, 0, length);
    const folder = damagedFolder(directory);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, String(place)), bytes.subarray(0, end), { mode: 0o600 });
  } catch {
    // see above
  }
}

/** What an operator is told where a log cannot be opened. */
export function unusable(path: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `cannot use the location store, ${path} (${reason}): ` +
      'look at the disk (dmesg, smartctl), restore the data directory from a backup, or move it away to start with an empty one; ' +
      'phones then register anew',
    { cause: error },
  );
}
