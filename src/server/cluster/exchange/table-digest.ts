// Digests of a shard's table, one for each hundred rows or so. Nodes of a cluster have the same records in the same rows, so that two
// tables can be compared without sending them. Rows change while they are read: differing groups have to be asked for again.

import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { LocationReader } from '../../../location/location-reader.ts';
import { cursorBefore } from '../../../location/log/log-reader.ts';

/** Rows of one digest. */
const GROUP_ROWS = 128;
/** Rows read in one piece, a few milliseconds. */
const READ_MAX = 512;
/** Groups of a piece: 131,072 rows, a fraction of a second. */
const PIECE_GROUPS = 1024;
const DIGEST_BYTES = 8;
const NUMBER_BYTES = 4;
/** Number of a group, its records, its digest. */
const ENTRY_BYTES = 2 * NUMBER_BYTES + DIGEST_BYTES;

/** By group: the number of records, and their digest; groups without records are absent. */
export type TableDigest = Map<number, { readonly records: number; readonly digest: string }>;

/** Digests of a shard's table in pieces, or of some groups of it, each as of about one moment. */
export function digestsOf(reader: LocationReader, wanted?: readonly number[]): AsyncGenerator<TableDigest> {
  return wanted === undefined ? digestsOfTable(reader) : digestsOfGroups(reader, wanted);
}

/** Pieces: a node that asks hears the first ones long before a table of millions has been read. */
async function* digestsOfTable(reader: LocationReader): AsyncGenerator<TableDigest> {
  const groups = new GroupDigests();
  let after: Uint8Array | undefined = cursorBefore(0);
  while (after !== undefined) {
    after = reader.scan(after, READ_MAX, (key, record, row = 0) => groups.add(row, key, record));
    if (groups.finished >= PIECE_GROUPS) yield groups.take();
    await turn();
  }
  yield groups.done();
}

async function* digestsOfGroups(reader: LocationReader, wanted: readonly number[]): AsyncGenerator<TableDigest> {
  const groups = new GroupDigests();
  for (const [i, group] of wanted.entries()) {
    if (i % (READ_MAX / GROUP_ROWS) === 0) await turn();
    reader.scan(cursorBefore(group * GROUP_ROWS), GROUP_ROWS, (key, record, row = 0) => {
      if (Math.floor(row / GROUP_ROWS) === group) groups.add(row, key, record);
    });
  }
  yield groups.done();
}

/** Numbers of groups in which two tables differ. */
export function differences(one: TableDigest, other: TableDigest): number[] {
  const groups = new Set([...one.keys(), ...other.keys()]);
  return [...groups].filter((group) => one.get(group)?.digest !== other.get(group)?.digest).sort((a, b) => a - b);
}

export function recordsOf(table: TableDigest): number {
  let records = 0;
  for (const group of table.values()) records += group.records;
  return records;
}

export function encodeDigest(table: TableDigest): Buffer {
  const bytes = Buffer.alloc(table.size * ENTRY_BYTES);
  let at = 0;
  for (const [group, { records, digest }] of table) {
    bytes.writeUInt32BE(group, at);
    bytes.writeUInt32BE(records, at + NUMBER_BYTES);
    bytes.write(digest, at + 2 * NUMBER_BYTES, 'hex');
    at += ENTRY_BYTES;
  }
  return bytes;
}

export function decodeDigest(bytes: Buffer): TableDigest {
  const table: TableDigest = new Map();
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const digest = bytes.toString('hex', at + 2 * NUMBER_BYTES, at + ENTRY_BYTES);
    table.set(bytes.readUInt32BE(at), { records: bytes.readUInt32BE(at + NUMBER_BYTES), digest });
  }
  return table;
}

/** Expects rows in their order. */
class GroupDigests {
  private table: TableDigest = new Map();
  private group = -1;
  private records = 0;
  private hash = createHash('sha256');

  add(row: number, key: Uint8Array, record: Uint8Array): void {
    const group = Math.floor(row / GROUP_ROWS);
    if (group !== this.group) {
      this.end();
      this.group = group;
    }
    this.records++;
    this.hash.update(`${row} ${record.length} `).update(key).update(record);
  }

  get finished(): number {
    return this.table.size;
  }

  /** The finished groups, which it has no longer. */
  take(): TableDigest {
    const { table } = this;
    this.table = new Map();
    return table;
  }

  done(): TableDigest {
    this.end();
    return this.take();
  }

  private end(): void {
    if (this.records === 0) return;
    const digest = this.hash.digest('hex').slice(0, 2 * DIGEST_BYTES);
    this.table.set(this.group, { records: this.records, digest });
    this.records = 0;
    this.hash = createHash('sha256');
  }
}
