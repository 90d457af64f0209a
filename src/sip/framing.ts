// Bounds of messages in a stream (RFC 3261 §18.3): by the empty line and Content-Length, with keep-alives between them
// (RFC 5626 §3.5.1) and other filler of phones. Bytes in, bounds out; the parser reads messages, with the same line ends.
// @hot

import { ABSENT, MALFORMED } from './parser/span-table.ts';
import { CLASS, COLON, DIGIT, isText, LWS, skip, TAB, TOKEN } from './scanner.ts';
import { ascii } from './writer.ts';

/** Outcomes of `next`. */
export const FRAME_MORE = 0;
/** A message: bytes[at, end). */
export const FRAME_MESSAGE = 1;
/** A double CRLF, to be answered by one. */
export const FRAME_PING = 2;
/** No usable Content-Length: bytes[at, end) is the head up to the empty line; the bytes behind it cannot be read. */
export const FRAME_NO_LENGTH = 3;
/** Longer than the limit: bytes[at, end) is its head, as far as it came; the bytes behind it cannot be read. */
export const FRAME_TOO_LARGE = 4;
/** No SIP; draws no answer. */
const FRAME_NOT_SIP = 5;

/**
 * Maximum of skipped bytes between two messages: NUL, CR, LF, space and tab, which phones send to keep a path open. A message or a
 * double CRLF restarts the count. More of them are no keep-alive, and end the connection.
 */
export const FILLER_BYTES_MAX = 4096;

const NUL = 0;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const CRLFCRLF_BYTES = 4;
const LENGTH_MAX = 1 << 30;

const CONTENT_LENGTH = ascii('content-length');
const SHORT_NAME = 0x6c;
const SIP_SLASH = ascii('sip/');

/** One direction of one connection. Its offsets are relative to the first byte of the current message. */
export class Framer {
  /** Bounds of the last result; the next call continues at `end`, after every result. */
  at = 0;
  end = 0;
  /** Bytes of filler skipped; the counter's owner resets it to 0. */
  skipped = 0;
  /** Bytes of CRLFs since the last message, ping or filler: 0 to 3. */
  private blank = 0;
  /** Bytes of filler since the last message or ping. */
  private filler = 0;
  /** Start of the first unread line. */
  private line = 0;
  /** End of the bytes searched for LF. */
  private scanned = 0;
  /** Position of Content-Length's value, ABSENT while there was none, MALFORMED where there were two. */
  private lengthAt: number = ABSENT;
  /** Bytes of the whole message once its head is complete, else 0. */
  private total = 0;

  /** Whether part of a message has come. */
  get inMessage(): boolean {
    return this.scanned > 0;
  }

  /** Whether it has no state: any other could replace it. */
  get isFresh(): boolean {
    return this.scanned === 0 && this.blank === 0 && this.filler === 0;
  }

  /**
   * Reads bytes[at, end). After FRAME_MORE it is called again with the same message's bytes from `this.at` on, and more.
   * @param bytesMax of a message @param headMax of its head, up to the empty line
   */
  next(bytes: Uint8Array, at: number, end: number, bytesMax: number, headMax: number): number {
    let p = at;
    if (this.scanned === 0) {
      p = this.skipBlank(bytes, at, end);
      if (p < 0) return this.found(FRAME_NOT_SIP, at, end);
      if (this.blank === CRLFCRLF_BYTES) {
        this.blank = 0;
        this.filler = 0;
        return this.found(FRAME_PING, p, p);
      }
      if (p === end) return this.found(FRAME_MORE, end, end);
      this.blank = 0;
      if ((CLASS[bytes[p]] & TOKEN) === 0) return this.found(FRAME_NOT_SIP, p, end);
    }
    this.at = p;
    if (this.total === 0) {
      const outcome = this.head(bytes, p, end, bytesMax, headMax < bytesMax ? headMax : bytesMax);
      if (outcome !== FRAME_MESSAGE) return outcome;
    }
    if (end - p < this.total) return FRAME_MORE;
    const total = this.total;
    this.restart();
    return this.found(FRAME_MESSAGE, p, p + total);
  }

  /** Finds the end of the head; FRAME_MESSAGE: `total` is known. */
  private head(bytes: Uint8Array, start: number, end: number, bytesMax: number, headMax: number): number {
    const limit = end - start > headMax ? start + headMax : end;
    let line = start + this.line;
    for (let p = start + this.scanned; p < limit; p++) {
      if (bytes[p] !== LF) continue;
      if (line === start && !isStartLine(bytes, line, p)) return this.found(FRAME_NOT_SIP, start, end);
      if (p === line || (p === line + 1 && bytes[line] === CR)) return this.complete(bytes, start, p + 1, bytesMax);
      this.readLine(bytes, start, line, p);
      line = p + 1;
    }
    if (limit < end || end - start === headMax) return this.found(FRAME_TOO_LARGE, start, limit);
    this.line = line - start;
    this.scanned = end - start;
    return FRAME_MORE;
  }

  /** Computes the message's length, with the head's end at `headEnd`. */
  private complete(bytes: Uint8Array, start: number, headEnd: number, bytesMax: number): number {
    const length = this.lengthAt < 0 ? MALFORMED : contentLength(bytes, start + this.lengthAt, headEnd);
    if (length < 0) return this.found(FRAME_NO_LENGTH, start, headEnd);
    this.total = headEnd - start + length;
    this.scanned = this.total;
    if (this.total > bytesMax) return this.found(FRAME_TOO_LARGE, start, headEnd);
    return FRAME_MESSAGE;
  }

  private readLine(bytes: Uint8Array, start: number, line: number, lineEnd: number): void {
    let nameEnd = line;
    while (nameEnd < lineEnd && (CLASS[bytes[nameEnd]] & TOKEN) !== 0) nameEnd++;
    const short = nameEnd === line + 1 && (bytes[line] | 0x20) === SHORT_NAME;
    if (!short && !isText(bytes, line, nameEnd, CONTENT_LENGTH)) return;
    const colon = skip(bytes, nameEnd, lineEnd, LWS);
    if (colon === lineEnd || bytes[colon] !== COLON) return;
    this.lengthAt = this.lengthAt === ABSENT ? colon + 1 - start : MALFORMED;
  }

  /** Position behind the CRLFs and filler at `at`, at most up to the end of a ping; -1 for too much filler. */
  private skipBlank(bytes: Uint8Array, at: number, end: number): number {
    let p = at;
    while (p < end && this.blank < CRLFCRLF_BYTES) {
      const byte = bytes[p];
      if (byte === ((this.blank & 1) === 0 ? CR : LF)) this.blank++;
      else if (!isFiller(byte)) return p;
      else {
        const begins = byte === CR ? 1 : 0;
        const skipped = this.blank + 1 - begins;
        this.blank = begins;
        this.skipped += skipped;
        this.filler += skipped;
        if (this.filler > FILLER_BYTES_MAX) return -1;
      }
      p++;
    }
    return p;
  }

  private restart(): void {
    this.line = 0;
    this.scanned = 0;
    this.lengthAt = ABSENT;
    this.total = 0;
    this.filler = 0;
  }

  private found(outcome: number, at: number, end: number): number {
    this.at = at;
    this.end = end;
    return outcome;
  }
}

function isFiller(byte: number): boolean {
  return byte === NUL || byte === CR || byte === LF || byte === SP || byte === TAB;
}

/** Whether a line is a start line: a request line ends with a SIP version, a status line begins with one; of any version. */
function isStartLine(bytes: Uint8Array, at: number, lineEnd: number): boolean {
  if (isText(bytes, at, at + SIP_SLASH.length, SIP_SLASH)) return true;
  let end = lineEnd;
  while (end > at && bytes[end - 1] <= SP) end--;
  let space = end;
  while (space > at && bytes[space - 1] !== SP && bytes[space - 1] !== TAB) space--;
  return space > at && isText(bytes, space, space + SIP_SLASH.length, SIP_SLASH);
}

/** The decimal number at `at`, which may be folded, up to its line's end; MALFORMED for any other text. */
function contentLength(bytes: Uint8Array, at: number, end: number): number {
  let p = skipFolds(bytes, at, end);
  let value = 0;
  const digits = p;
  for (; p < end && (CLASS[bytes[p]] & DIGIT) !== 0; p++) {
    value = value * 10 + bytes[p] - 0x30;
    if (value > LENGTH_MAX) value = LENGTH_MAX;
  }
  if (p === digits) return MALFORMED;
  p = skipFolds(bytes, p, end);
  return p + 1 < end && bytes[p] === CR && bytes[p + 1] === LF ? value : MALFORMED;
}

function skipFolds(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  for (;;) {
    p = skip(bytes, p, end, LWS);
    if (p + 2 >= end || bytes[p] !== CR || bytes[p + 1] !== LF || (CLASS[bytes[p + 2]] & LWS) === 0) return p;
    p += 2;
  }
}
