// Small files that must not be lost (decisions/0102): JSON with a checksum, replaced as a whole, with a copy beside it. The callers define the
// content.

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type FileCalls, nodeFiles } from './file-calls.ts';

const COPY = '.copy';
const NEXT = '.new';
const DAMAGED = '.damaged';
const DIGITS = 16;
const NO_SUM = '0'.repeat(DIGITS);
/** End of a sealed file; the checksum is computed with zeros in its place. */
const TAIL = /"checksum": "([0-9a-f]{16})"\n\}\n$/;
const TAIL_CHARS = DIGITS + '"\n}\n'.length;

/** Neither the file nor its copy can be read; the message names both and their faults. */
export class SmallFileError extends Error {
  override readonly name = 'SmallFileError';
}

export interface SmallFileContent<T> {
  readonly content: T;
  /** False: written by a version without checksums, or by hand. */
  readonly sealed: boolean;
  /** Reason why the copy was read in the file's place. */
  readonly problem?: string;
}

export interface SmallFileOptions<T> {
  /** Throws an Error with the reason if the content is invalid. Unknown members are invalid, too: a flipped bit makes them. */
  readonly check: (content: unknown) => T;
  /** Converts the content of a file without a checksum, if earlier versions had another form. */
  readonly unsealed?: (content: unknown) => unknown;
  readonly calls?: FileCalls;
}

export class SmallFile<T extends object> {
  readonly path: string;
  readonly copy: string;
  private readonly options: SmallFileOptions<T>;
  private readonly calls: FileCalls;

  constructor(path: string, options: SmallFileOptions<T>) {
    this.path = path;
    this.copy = path + COPY;
    this.options = options;
    this.calls = options.calls ?? nodeFiles;
  }

  /** Undefined: there is neither file nor copy. Throws a SmallFileError if there are files, but none can be read. */
  read(): SmallFileContent<T> | undefined {
    const { calls, path, copy } = this;
    const problems: string[] = [];
    for (const file of [path, copy]) {
      try {
        const text = calls.read(file).toString('utf8');
        return { ...this.open(text), ...(problems.length > 0 && { problem: problems[0] }) };
      } catch (error) {
        const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
        problems.push(`${file}: ${missing ? 'it is missing' : messageOf(error)}`);
        if (file === copy && missing && !calls.exists(path)) return undefined;
      }
    }
    throw new SmallFileError(problems.join('; '));
  }

  /**
   * Writes the content that was read, sealed, to file and copy; a damaged file is kept beside them under another name. For the
   * start of a server, before any other read.
   */
  settle({ content, sealed, problem }: SmallFileContent<T>): void {
    const { calls, path, copy } = this;
    if (problem === undefined && sealed && this.sameText()) return;
    if (problem !== undefined && calls.exists(path)) calls.rename(path, path + DAMAGED);
    if (problem !== undefined || !sealed) this.write(content);
    else replaceFile(copy, calls.read(path).toString('utf8'), calls);
  }

  /** Replaces file and copy, in this order: at every moment one of them is whole. Throws if either was not replaced. */
  write(content: T): void {
    const text = seal(content);
    replaceFile(this.path, text, this.calls);
    replaceFile(this.copy, text, this.calls);
  }

  /**
   * Replaces the file alone, without waiting for the disk: a power cut may undo it. For content written so often that
   * the last value but one suffices.
   */
  note(content: T): void {
    replaceFile(this.path, seal(content), this.calls, false);
  }

  private sameText(): boolean {
    const { calls, path, copy } = this;
    return calls.exists(copy) && calls.read(copy).equals(calls.read(path));
  }

  private open(text: string): { content: T; sealed: boolean } {
    const sum = TAIL.exec(text)?.[1];
    if (sum !== undefined && sum !== sumOf(text)) throw new Error('its checksum is wrong');
    const { check, unsealed } = this.options;
    const parsed: unknown = JSON.parse(text);
    const { checksum, ...content } = asObject(sum === undefined && unsealed ? unsealed(parsed) : parsed);
    if (checksum !== undefined && sum === undefined) throw new Error('its checksum does not stand at its end');
    return { content: check(content), sealed: sum !== undefined };
  }
}

/**
 * Replaces the content of a file, whole or not at all: the new file gets the name once it is on disk. Throws the system's error, and
 * the old content then stays.
 * @param lasting false: a power cut may undo it
 */
export function replaceFile(path: string, text: string, calls: FileCalls = nodeFiles, lasting = true): void {
  const next = path + NEXT;
  const bytes = Buffer.from(text);
  try {
    const fd = calls.create(next);
    try {
      writeAll(calls, fd, bytes);
      if (lasting) calls.sync(fd);
    } finally {
      calls.close(fd);
    }
    calls.rename(next, path);
  } catch (error) {
    removeQuietly(calls, next);
    throw error;
  }
  if (lasting) calls.syncDirectory(dirname(path));
}

/** Writes all bytes: a nearly full disk writes fewer than given, and reports it by the count alone. */
function writeAll(calls: FileCalls, fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const count = calls.write(fd, bytes, done, bytes.length - done);
    if (count <= 0) throw new Error('nothing was written');
    done += count;
  }
}

function removeQuietly(calls: FileCalls, path: string): void {
  try {
    calls.remove(path);
  } catch {
    // no reader uses its name
  }
}

function seal(content: object): string {
  const text = `${JSON.stringify({ ...content, checksum: NO_SUM }, null, 2)}\n`;
  return text.slice(0, -TAIL_CHARS) + sumOf(text) + text.slice(-TAIL_CHARS + DIGITS);
}

/** Checksum of a sealed text, independent of the checksum in it. */
function sumOf(text: string): string {
  const hash = createHash('sha256').update(text.slice(0, -TAIL_CHARS)).update(NO_SUM);
  return hash
    .update(text.slice(-TAIL_CHARS + DIGITS))
    .digest('hex')
    .slice(0, DIGITS);
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error('it is no JSON object');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
