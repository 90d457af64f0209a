// What recorder.c has written: the records of a process, in order.

import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

/** Paths are absolute; a file is known by its inode, because its name may change. */
export type Operation =
  | { readonly kind: 'created'; readonly path: string; readonly inode: bigint }
  | {
      readonly kind: 'written';
      readonly inode: bigint;
      readonly at: number;
      readonly data: Uint8Array;
      /** Through a descriptor that syncs what it writes. */
      readonly lasting: boolean;
    }
  | { readonly kind: 'resized'; readonly inode: bigint; readonly size: number }
  | { readonly kind: 'synced'; readonly inode: bigint }
  | { readonly kind: 'directory synced'; readonly path: string }
  | { readonly kind: 'renamed' | 'linked'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlinked' | 'made' | 'unmade'; readonly path: string }
  | { readonly kind: 'acknowledged'; readonly text: string };

const HEAD_BYTES = 32;
const KINDS = [
  undefined,
  'created',
  'written',
  'resized',
  'synced',
  'directory synced',
  'renamed',
  'unlinked',
  'made',
  'unmade',
  'linked',
  'acknowledged',
] as const;

/** Takes all that a trace holds out of it. Its process must be waiting. */
export function takeTrace(file: string): Operation[] {
  if (!existsSync(file)) return [];
  const fd = openSync(file, 'r+');
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    for (let done = 0; done < bytes.length; ) done += readSync(fd, bytes, done, bytes.length - done, done);
    ftruncateSync(fd, 0);
    return parseTrace(bytes);
  } finally {
    closeSync(fd);
  }
}

function parseTrace(bytes: Buffer): Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
    const text = bytes.readUInt32LE(at + 4);
    const data = bytes.readUInt32LE(at + 8);
    const end = at + HEAD_BYTES + text + data;
    if (end > bytes.length) break; // the process died in the middle of it
    const [path, to] = bytes.toString('utf8', at + HEAD_BYTES, at + HEAD_BYTES + text).split('\0');
    operations.push(operationOf(bytes.subarray(at, at + HEAD_BYTES), path, to, bytes.subarray(end - data, end)));
    at = end;
  }
  return operations;
}

function operationOf(head: Buffer, path: string, to: string, data: Uint8Array): Operation {
  const kind = KINDS[head.readUInt32LE(0)];
  const inode = head.readBigUInt64LE(16);
  const at = Number(head.readBigUInt64LE(24));
  switch (kind) {
    case undefined:
      throw new Error(`an unknown record in a trace: ${head.toString('hex')}`);
    case 'created':
      return { kind, path, inode };
    case 'written':
      return { kind, inode, at, data, lasting: head.readUInt32LE(12) === 1 };
    case 'resized':
      return { kind, inode, size: at };
    case 'synced':
      return { kind, inode };
    case 'renamed':
    case 'linked':
      return { kind, path, to };
    case 'acknowledged':
      return { kind, text: Buffer.from(data).toString('latin1') };
    default:
      return { kind, path };
  }
}
