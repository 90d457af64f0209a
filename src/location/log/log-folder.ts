// Which files of a shard's `log` folder are generations of its log: a manifest names the log and its oldest generation, each generation
// names both again. What does not belong is moved aside and told, never removed.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import {
  FrameSearch,
  GenerationFile,
  isOfTree,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  VALUE_BYTES_MIN,
} from './generation-file.ts';
import type { LogProblems } from './log.ts';
import { mixWords } from './log-frame.ts';

const FOLDER = 'log';
const SUFFIX = '.mdb';
const GENERATION = /^\d{10}\.mdb$/;
const MANIFEST = 'manifest';
const DAMAGED = 'damaged';

// The head of a generation: a value of VALUE_BYTES_MIN, in words: magic, checksum of the next four, name of the log (2), number (2),
// address of the last frame before + 1 (2), checksum of these eight. Files made before that was written have zeros there.
const HEAD_MAGIC = 0x3267_656e;
const HEAD_NAME_WORDS = 6;
const HEAD_WORDS = 9;
/** Pages among which a generation's head lies. */
const HEAD_PAGES = 16;
/** The one that LMDB takes for the first value, behind the leaf that names it. */
const HEAD_PAGE = 3;
const META_PAGES = 2;
/** Of a file of a generation without a frame. */
export const EMPTY_GENERATION_BYTES = (HEAD_PAGE + 1) * PAGE_BYTES;
/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

export interface FolderFound {
  /** Of the log: 16 hexadecimal digits. */
  readonly name: string;
  /** Numbers of its generations, ascending. */
  readonly generations: readonly number[];
  /** Of the oldest generation that was not dropped. */
  readonly first: number;
  readonly problems: LogProblems;
}

/** @param directory of the shard */
export function generationPath(directory: string, number: number): string {
  return join(directory, FOLDER, `${String(number).padStart(10, '0')}${SUFFIX}`);
}

/** Names of a shard's log files that a copy needs, below its directory, oldest first. */
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

/** Where a shard keeps what is damaged. */
export function damagedFolder(directory: string): string {
  return join(directory, DAMAGED);
}

/**
 * Looks through the folder, which is made where it is missing.
 * @param directory of the shard @param generationBytes that a generation's addresses span
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
      unlinkSync(join(folder, file)); // it was dropped: the name came back after a power cut
    else generations.push(number);
  }
  const missing: number[] = [];
  const last = generations.at(-1) ?? first - 1;
  for (let number = first; number < last; number++) if (!generations.includes(number)) missing.push(number);
  const isFresh = manifest?.name !== name;
  const oldest = isFresh ? (generations[0] ?? 0) : first;
  if (isFresh) writeManifest(directory, name, oldest);
  return { name, generations, first: oldest, problems: { aside, unfinished, missing: isFresh ? [] : missing } };
}

/** Says which generation is the oldest: those before are dropped. @param synced it survives a power cut */
export function writeManifest(directory: string, name: string, first: number, synced = true): void {
  const folder = join(directory, FOLDER);
  const path = join(folder, MANIFEST);
  const fd = openSync(`${path}.new`, 'w', 0o600);
  try {
    const text = Buffer.from(manifestText(name, first));
    if (writeSync(fd, text) < text.length) throw new Error(`${path}: written in part`);
    if (synced) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
  if (synced) syncPath(folder);
}

/**
 * The value that says which log a generation belongs to, which number it has, and where the log ended when it was made.
 * @param before address of the last frame, -1 where there is none
 */
export function generationHead(name: string, number: number, before: number): Uint8Array {
  const words = new Uint32Array(VALUE_BYTES_MIN / 4);
  words[0] = HEAD_MAGIC;
  words[2] = Number.parseInt(name.slice(0, 8), 16);
  words[3] = Number.parseInt(name.slice(8), 16);
  words[4] = number % 4294967296;
  words[5] = Math.floor(number / 4294967296);
  words[1] = mixWords(words, 2, HEAD_NAME_WORDS);
  words[6] = (before + 1) % 4294967296;
  words[7] = Math.floor((before + 1) / 4294967296);
  words[8] = mixWords(words, 0, HEAD_WORDS - 1);
  return new Uint8Array(words.buffer);
}

/**
 * File of a generation without a frame, in which the next life begins another one.
 * @param before as generationHead's; undefined: it does not say
 */
export function emptyGeneration(name: string, number: number, before: number | undefined): Buffer {
  const bytes = Buffer.alloc(EMPTY_GENERATION_BYTES);
  const head = generationHead(name, number, before ?? -1);
  if (before === undefined) head.fill(0, HEAD_NAME_WORDS * 4);
  bytes.set(head, HEAD_PAGE * PAGE_BYTES + PAGE_HEADER_BYTES);
  return bytes;
}

export interface GenerationHead {
  readonly name: string;
  readonly number: number;
  /** As Log.before. */
  readonly before: number | undefined;
}

/** Undefined where there is none that is sound. */
export function readHead(path: string): GenerationHead | undefined {
  const fd = openSync(path, 'r');
  try {
    const words = new Uint32Array(HEAD_WORDS);
    const bytes = new Uint8Array(words.buffer);
    for (let page = 0; page < HEAD_PAGES; page++) {
      if (!isRead(fd, bytes, page * PAGE_BYTES + PAGE_HEADER_BYTES)) continue;
      if (words[0] !== HEAD_MAGIC || words[1] !== mixWords(words, 2, HEAD_NAME_WORDS)) continue;
      const name = [words[2], words[3]].map((word) => word.toString(16).padStart(8, '0')).join('');
      const isBeforeSound = words[8] === mixWords(words, 0, HEAD_WORDS - 1);
      const before = isBeforeSound ? words[7] * 4294967296 + words[6] - 1 : undefined;
      return { name, number: words[5] * 4294967296 + words[4], before };
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function isRead(fd: number, bytes: Uint8Array, at: number): boolean {
  try {
    return readSync(fd, bytes, 0, bytes.length, at) === bytes.length;
  } catch {
    return false; // a sector; another page may say it
  }
}

/** The log that most generations name; the manifest counts as one, and decides. */
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
 * Whether the making of a file was cut off: it is LMDB's, or nothing yet, and where the head begins there is nothing. What is behind that, if
 * anything, is a part of a batch that was never settled, for the head is settled with the first.
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

/** Moves a file of the log's folder to the damaged ones; returns where it is now. */
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

function manifestText(name: string, first: number): string {
  const text = `aorta log ${name} from ${first}`;
  return `${text} sum ${textSum(text)}\n`;
}

/** Undefined where there is none, null where it is damaged. */
function readManifest(path: string): { readonly name: string; readonly first: number } | undefined | null {
  if (!existsSync(path)) return undefined;
  try {
    const text = readFileSync(path, 'latin1');
    const match = /^aorta log ([0-9a-f]{16}) from (\d+) sum /.exec(text);
    if (match === null || text !== manifestText(match[1], Number(match[2]))) return null;
    return { name: match[1], first: Number(match[2]) };
  } catch {
    return null;
  }
}

function textSum(text: string): string {
  const words = Uint32Array.from(Buffer.from(text, 'latin1'));
  return mixWords(words, 0, words.length).toString(16).padStart(8, '0');
}
