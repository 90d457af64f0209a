// Bodies that a registrar may skip (RFC 3261 §8.2.3, §20.11; RFC 5621 §3.1, §8): optional ones, as a whole or in every
// part. The content of a body is never read.
// @hot

import { slab } from '../../../sip/parser/slab.ts';
import { COLON, EQUALS, isText, LWS, QUOTE, quotedEnd, SEMICOLON, skip, TOKEN } from '../../../sip/scanner.ts';
import { ascii } from '../../../sip/writer.ts';

const HANDLING = ascii('handling');
const OPTIONAL = ascii('optional');
const BOUNDARY = ascii('boundary');
const MULTIPART = ascii('multipart');
const ALTERNATIVE = ascii('alternative');
const APPLICATION = ascii('application');
const SDP = ascii('sdp');
const CONTENT_TYPE = ascii('content-type');
const CONTENT_DISPOSITION = ascii('content-disposition');
const CR = 0x0d;
const LF = 0x0a;
const SLASH = 0x2f;
const HYPHEN = 0x2d;
/** RFC 2046 §5.1.1. */
const BOUNDARY_BYTES_MAX = 70;
/** Depth of nested multiparts: each level reads its bytes once more. */
const DEPTH_MAX = 4;

// The value found last: of a parameter, without its quotes, or a subtype.
let valueAt = 0;
let valueEnd = 0;

/** Finds a parameter (its name in lower case) in the header value slab[at, end). */
function findParam(at: number, end: number, name: Uint8Array): boolean {
  for (let p = at; p < end; p++) {
    if (slab[p] === QUOTE) {
      p = quotedEnd(slab, p, end) - 1;
      if (p < 0) return false;
    } else if (slab[p] === SEMICOLON && isParam(p + 1, end, name)) return true;
  }
  return false;
}

function isParam(at: number, end: number, name: Uint8Array): boolean {
  const from = behindBlank(at, end);
  const to = skip(slab, from, end, TOKEN);
  const equals = behindBlank(to, end);
  if (!isText(slab, from, to, name) || equals >= end || slab[equals] !== EQUALS) return false;
  valueAt = behindBlank(equals + 1, end);
  if (valueAt < end && slab[valueAt] === QUOTE) {
    valueEnd = quotedEnd(slab, valueAt++, end) - 1;
    return valueEnd >= valueAt;
  }
  valueEnd = valueAt;
  while (valueEnd < end && slab[valueEnd] > 0x20 && slab[valueEnd] !== SEMICOLON) valueEnd++;
  return valueEnd > valueAt;
}

/** Position behind white space and folds; parts keep folds as they were sent. */
function behindBlank(at: number, end: number): number {
  let p = at;
  while (p < end && slab[p] <= 0x20) p++;
  return p;
}

/** Whether the Content-Disposition slab[at, end) allows the receiver to skip the body. */
export function isOptional(at: number, end: number): boolean {
  return findParam(at, end, HANDLING) && isText(slab, valueAt, valueEnd, OPTIONAL);
}

/** Whether the Content-Type slab[at, end) is a session description's. */
export function isSessionType(at: number, end: number): boolean {
  return isOfMainType(at, end, APPLICATION) && isText(slab, valueAt, valueEnd, SDP);
}

/** Whether a type has this main type; then the value found last is its subtype. White space may surround the slash (§25.1). */
function isOfMainType(at: number, end: number, main: Uint8Array): boolean {
  const mainEnd = skip(slab, at, end, TOKEN);
  const slash = behindBlank(mainEnd, end);
  if (!isText(slab, at, mainEnd, main) || slash >= end || slab[slash] !== SLASH) return false;
  valueAt = behindBlank(slash + 1, end);
  valueEnd = skip(slab, valueAt, end, TOKEN);
  return true;
}

/** Whether the Content-Type slab[at, end) is a multipart whose parts may all be skipped; one alternative is enough. */
export function isSkippableMultipart(at: number, end: number, body: number, bodyEnd: number): boolean {
  return isSkippable(at, end, body, bodyEnd, 0);
}

function isSkippable(type: number, typeEnd: number, at: number, end: number, depth: number): boolean {
  if (depth === DEPTH_MAX || !isOfMainType(type, typeEnd, MULTIPART)) return false;
  const oneIsEnough = isText(slab, valueAt, valueEnd, ALTERNATIVE);
  if (!findParam(type, typeEnd, BOUNDARY) || valueEnd - valueAt > BOUNDARY_BYTES_MAX) return false;
  const boundary = valueAt;
  const length = valueEnd - valueAt;
  let part = -1;
  let good = 0;
  for (let line = at; line <= end; ) {
    const next = lineEnd(line, end);
    const isLast = next > end;
    if (isLast || isDelimiter(line, next, boundary, length)) {
      const closes = isLast || isClosing(line, length);
      if (part >= 0 && (line > part || !isLast)) {
        const skips = isSkippablePart(part, isLast ? end : line, depth);
        if (skips && oneIsEnough) return true;
        if (!skips && !oneIsEnough) return false;
        if (skips) good++;
      }
      if (closes) break;
      part = next;
    }
    line = next;
  }
  return good > 0;
}

/** Position behind the LF of the line that starts at `at`; beyond `end` without an LF. */
function lineEnd(at: number, end: number): number {
  let p = at;
  while (p < end && slab[p] !== LF) p++;
  return p + 1;
}

function isDelimiter(at: number, end: number, boundary: number, length: number): boolean {
  if (end - at < length + 2 || slab[at] !== HYPHEN || slab[at + 1] !== HYPHEN) return false;
  for (let i = 0; i < length; i++) if (slab[at + 2 + i] !== slab[boundary + i]) return false;
  let p = at + 2 + length;
  if (isClosing(at, length)) p += 2;
  p = skip(slab, p, end, LWS);
  return p >= end || slab[p] === CR || slab[p] === LF;
}

function isClosing(at: number, length: number): boolean {
  return slab[at + 2 + length] === HYPHEN && slab[at + 3 + length] === HYPHEN;
}

/** Whether the part slab[at, end), which begins with its headers, is optional, a session description, or a multipart of such. */
function isSkippablePart(at: number, end: number, depth: number): boolean {
  let type = -1;
  let typeEnd = -1;
  let line = at;
  for (;;) {
    const next = headerEnd(line, end);
    const stop = trimmed(line, Math.min(next, end));
    if (stop === line) return type >= 0 && isOfType(type, typeEnd, Math.min(next, end), end, depth);
    const nameEnd = skip(slab, line, stop, TOKEN);
    const colon = skip(slab, nameEnd, stop, LWS);
    if (colon < stop && slab[colon] === COLON) {
      const value = behindBlank(colon + 1, stop);
      if (isText(slab, line, nameEnd, CONTENT_DISPOSITION) && isOptional(value, stop)) return true;
      if (isText(slab, line, nameEnd, CONTENT_TYPE)) {
        type = value;
        typeEnd = stop;
      }
    }
    if (next >= end) return false;
    line = next;
  }
}

function isOfType(type: number, typeEnd: number, at: number, end: number, depth: number): boolean {
  return isSessionType(type, typeEnd) || isSkippable(type, typeEnd, at, end, depth + 1);
}

/** Position behind a header's last line, folded lines included. */
function headerEnd(at: number, end: number): number {
  let next = lineEnd(at, end);
  while (next < end && next > at + 2 && (slab[next] === 0x20 || slab[next] === 0x09)) next = lineEnd(next, end);
  return next;
}

function trimmed(at: number, end: number): number {
  let p = end;
  while (p > at && slab[p - 1] <= 0x20) p--;
  return p;
}
