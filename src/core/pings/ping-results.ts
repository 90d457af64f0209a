// Results of pings, by AOR and source: round-trip time, last answer, losses in a row. A fixed table in the memory of each shard; the shard
// writes it and every thread reads it without locks. A contact that finds no free row counts as never pinged.
// @hot

/** Maximum of a shard's contacts with results, a power of two. */
const ROWS = 1 << 20;
const ROW_WORDS = 4;
const WORDS = ROWS * ROW_WORDS;
/** Rows that a contact may have: neighbours, from the row of its tag on. */
const WAYS = 8;
const NOTHING = new Uint32Array(0);

// Of a row: two words that name it, the first of which is 0 in a free row and during a write; time of the last answer in seconds since
// 1970, 0 for none; losses above the round-trip time in ms.
const TAG = 0;
const TAG_MORE = 1;
const ANSWERED_AT = 2;
const RESULT = 3;
const RTT_MAX = 0xffff;
const LOSSES_MAX = 0xff;

/** Memory for the results of one shard, empty before its first result. @cold */
export function createPingResults(): SharedArrayBuffer {
  return new SharedArrayBuffer(0, { maxByteLength: WORDS * 4 });
}

export class PingResults {
  /** Of the contact found last: milliseconds; seconds since 1970, 0 where it never answered; pings in a row without an answer. */
  rttMs = 0;
  answeredAtS = 0;
  losses = 0;
  private readonly memories: readonly SharedArrayBuffer[];
  /** By shard, as soon as it has results. */
  private readonly tables: Uint32Array[];

  /** @param memories one per shard */
  constructor(memories: readonly SharedArrayBuffer[]) {
    this.memories = memories;
    this.tables = memories.map(() => NOTHING);
  }

  /** Finds the results of a source. @param key of the AOR */
  find(key: Uint32Array, source: number): boolean {
    const rows = this.tableOf(key);
    if (rows.length === 0) return false;
    const tag = tagOf(key[0], source);
    const more = (key[1] ^ source) >>> 0;
    for (let way = 0, at = firstRow(tag); way < WAYS; way++, at += ROW_WORDS) {
      if (Atomics.load(rows, at) !== tag || rows[at + TAG_MORE] !== more) continue;
      const result = rows[at + RESULT];
      this.answeredAtS = rows[at + ANSWERED_AT];
      this.rttMs = result & RTT_MAX;
      this.losses = (result >>> 16) & LOSSES_MAX;
      return Atomics.load(rows, at) === tag;
    }
    return false;
  }

  /** Only for the shard that owns the AOR. */
  set(key: Uint32Array, source: number, rttMs: number, answeredAtS: number, losses: number): void {
    let rows = this.tableOf(key);
    if (rows.length === 0) {
      this.memories[this.shardOf(key)].grow(WORDS * 4);
      rows = this.tableOf(key);
    }
    const tag = tagOf(key[0], source);
    const more = (key[1] ^ source) >>> 0;
    const at = placeFor(rows, tag, more);
    if (at < 0) return;
    Atomics.store(rows, at, 0);
    rows[at + TAG_MORE] = more;
    rows[at + ANSWERED_AT] = answeredAtS;
    rows[at + RESULT] = (Math.min(losses, LOSSES_MAX) << 16) | Math.min(rttMs, RTT_MAX);
    Atomics.store(rows, at, tag);
  }

  /** Forgets a contact that is no longer pinged. */
  clear(key: Uint32Array, source: number): void {
    const rows = this.tableOf(key);
    if (rows.length === 0) return;
    const tag = tagOf(key[0], source);
    const more = (key[1] ^ source) >>> 0;
    for (let way = 0, at = firstRow(tag); way < WAYS; way++, at += ROW_WORDS)
      if (rows[at] === tag && rows[at + TAG_MORE] === more) Atomics.store(rows, at, 0);
  }

  private shardOf(key: Uint32Array): number {
    return key[3] % this.memories.length;
  }

  /** The table of a key's shard; empty before its first result. */
  private tableOf(key: Uint32Array): Uint32Array {
    const shard = this.shardOf(key);
    if (this.tables[shard].length === 0 && this.memories[shard].byteLength > 0)
      this.tables[shard] = new Uint32Array(this.memories[shard], 0, WORDS);
    return this.tables[shard];
  }
}

function tagOf(k0: number, source: number): number {
  return (k0 ^ Math.imul(source, 0x9e3779b1)) >>> 0 || 1;
}

function firstRow(tag: number): number {
  return (tag & (ROWS / WAYS - 1)) * WAYS * ROW_WORDS;
}

/** The contact's row, else a free one; -1: its rows are all taken. */
function placeFor(rows: Uint32Array, tag: number, more: number): number {
  let free = -1;
  for (let way = 0, at = firstRow(tag); way < WAYS; way++, at += ROW_WORDS) {
    if (rows[at + TAG] === tag && rows[at + TAG_MORE] === more) return at;
    if (rows[at + TAG] === 0 && free < 0) free = at;
  }
  return free;
}
