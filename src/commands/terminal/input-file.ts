// A text file that a command reads: opened once, so that the command may change its user afterwards, and decoded strictly, so
// that no wrong character passes for a right one.

import { isUtf8 } from 'node:buffer';
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { nearest } from '../../server/config/nearest.ts';

/** For "did you mean"; every name of the WHATWG Encoding Standard is accepted. */
const ENCODINGS = ['utf-8', 'latin1', 'iso-8859-1', 'iso-8859-15', 'windows-1252', 'utf-16le', 'utf-16be'];
const CHUNK_BYTES = 1 << 16;
const LF = 0x0a;

/** The file is not of its stated kind. The message names the line. */
export class RowsError extends Error {
  override readonly name = 'RowsError';
}

export class InputFile {
  readonly name: string;
  readonly size: number;
  private readonly fd: number;
  private encoding = 'utf-8';

  private constructor(name: string, fd: number) {
    this.name = name;
    this.fd = fd;
    const status = fstatSync(fd);
    if (status.isDirectory())
      throw Object.assign(new Error('a directory'), { code: 'EISDIR', syscall: 'open', path: name });
    this.size = status.size;
  }

  /** Throws the system's error. */
  static open(name: string): InputFile {
    return new InputFile(name, openSync(name, 'r'));
  }

  close(): void {
    closeSync(this.fd);
  }

  /**
   * Checks the whole file before any of it is used.
   * @param encoding by default that of the byte order mark, else UTF-8
   * @throws RangeError where there is no such encoding; RowsError, with the line, where the file is not in UTF-8 and should be
   */
  async settle(encoding: string | undefined): Promise<void> {
    this.encoding = encoding === undefined ? this.marked() : knownEncoding(encoding);
    if (this.encoding !== 'utf-8') return;
    const at = await this.firstBad();
    if (at < 0) return;
    const byte = Buffer.alloc(1);
    readSync(this.fd, byte, 0, 1, at);
    throw new RowsError(
      `line ${await this.lineAt(at)}: byte 0x${byte.toString('hex')} is not UTF-8, so nothing was taken: name what the file ` +
        'is in, such as --encoding latin1',
    );
  }

  /** The text, a piece at a time. @param progress is told the bytes read so far */
  async *text(progress: (bytes: number) => void = () => {}, length = Number.POSITIVE_INFINITY): AsyncGenerator<string> {
    const decoder = new TextDecoder(this.encoding);
    let read = 0;
    for await (const chunk of this.bytes(length)) {
      read += chunk.length;
      progress(read);
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  }

  /** The beginning of the file. */
  async head(length: number): Promise<string> {
    let head = '';
    for await (const piece of this.text(undefined, length)) head += piece;
    return head;
  }

  private bytes(length: number): AsyncIterable<Buffer> {
    return createReadStream('', {
      fd: this.fd,
      autoClose: false,
      start: 0,
      end: length - 1,
      highWaterMark: CHUNK_BYTES,
    });
  }

  private marked(): string {
    const mark = Buffer.alloc(2);
    readSync(this.fd, mark, 0, 2, 0);
    if (mark[0] === 0xff && mark[1] === 0xfe) return 'utf-16le';
    return mark[0] === 0xfe && mark[1] === 0xff ? 'utf-16be' : 'utf-8';
  }

  /** Offset of the first byte that is not UTF-8; -1 without one. */
  private async firstBad(): Promise<number> {
    let rest = Buffer.alloc(0);
    let start = 0;
    for await (const chunk of this.bytes(Number.POSITIVE_INFINITY)) {
      const bytes = Buffer.concat([rest, chunk]);
      const whole = wholeLength(bytes);
      if (!isUtf8(bytes.subarray(0, whole))) return start + badAt(bytes.subarray(0, whole));
      rest = bytes.subarray(whole);
      start += whole;
    }
    return rest.length === 0 ? -1 : start;
  }

  private async lineAt(offset: number): Promise<number> {
    let line = 1;
    let seen = 0;
    for await (const chunk of this.bytes(offset + 1)) {
      for (let i = 0; i < chunk.length && seen + i < offset; i++) if (chunk[i] === LF) line++;
      seen += chunk.length;
    }
    return line;
  }
}

/** Length without an incomplete character at the end. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Offset of the character after the longest beginning that is UTF-8. */
function badAt(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isUtf8(bytes.subarray(0, wholeLength(bytes.subarray(0, middle))))) good = middle;
    else bad = middle;
  }
  return wholeLength(bytes.subarray(0, good));
}

function knownEncoding(name: string): string {
  try {
    return new TextDecoder(name).encoding;
  } catch {
    const near = nearest(name, ENCODINGS);
    const meant = near === undefined ? '' : `, did you mean "${near}"?`;
    throw new RangeError(`--encoding: "${name}" is not known, expected one such as ${ENCODINGS.join(', ')}${meant}`);
  }
}
