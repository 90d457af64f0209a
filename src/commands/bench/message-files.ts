// Messages for a benchmark, from files: each is one message, or a capture of many. Nothing here prints.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import { CaptureError, isCapture, packetsOf } from './capture-file.ts';
import { type LeftOut, messagesOf } from './captured-messages.ts';

/** Largest number of messages from a capture: they all stay in memory. */
const MESSAGES_MAX = 200_000;

export interface MessageSet {
  readonly name: string;
  readonly messages: readonly Buffer[];
  /** Origin of each: a file, or a file and the number of a packet. */
  readonly origins: readonly string[];
  /** Text about the messages left out. */
  readonly notes: readonly string[];
}

/** All messages below a path, or the fault of the path. */
export function readMessages(path: string): MessageSet | string {
  const found: Found = { messages: [], origins: [], leftOut: { fragments: 0, gaps: 0 }, outsized: 0, surplus: 0 };
  try {
    for (const file of statSync(path).isDirectory() ? filesBelow(path) : [path]) take(file, found);
  } catch (error) {
    return `${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { messages, origins } = found;
  if (messages.length === 0) return `${path}: no message of up to ${MESSAGE_BYTES_MAX} bytes`;
  return { name: path, messages, origins, notes: notesOf(found) };
}

interface Found {
  readonly messages: Buffer[];
  readonly origins: string[];
  readonly leftOut: LeftOut;
  outsized: number;
  surplus: number;
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function take(file: string, found: Found): void {
  const bytes = readFileSync(file);
  if (!isCapture(bytes)) return add(found, bytes, file);
  try {
    for (const message of messagesOf(packetsOf(bytes), found.leftOut))
      add(found, message.bytes, `${file}, packet ${message.packet}`);
  } catch (error) {
    throw error instanceof CaptureError ? new Error(`${file}: ${error.message}`) : error;
  }
}

function add(found: Found, bytes: Buffer, origin: string): void {
  if (bytes.length === 0) return;
  if (bytes.length > MESSAGE_BYTES_MAX) found.outsized++;
  else if (found.messages.length >= MESSAGES_MAX) found.surplus++;
  else {
    found.messages.push(bytes);
    found.origins.push(origin);
  }
}

function notesOf({ leftOut, outsized, surplus }: Found): string[] {
  const count = (n: number, what: string) => (n === 0 ? [] : [`${n.toLocaleString('en-US')} ${what}`]);
  return [
    ...count(outsized, `longer than ${MESSAGE_BYTES_MAX} bytes were left out`),
    ...count(surplus, `beyond the first ${MESSAGES_MAX.toLocaleString('en-US')} were left out`),
    ...count(leftOut.fragments, 'fragments of IP packets were left out'),
    ...count(leftOut.gaps, 'gaps in TCP streams: what stood there is not in the capture'),
  ];
}
