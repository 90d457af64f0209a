// A seeded churn of a location store: batch n is the same whenever it is made, whatever the store holds, so that the state
// after any batch can be told from the seed alone. No test framework here: child processes use it too.

import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { AOR_KEY_BYTES } from '../../src/location/aor-key-size.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import type { WriteSet } from '../../src/location/write-set.ts';
import { keyWords, putRecord } from '../location/store-records.ts';

export interface ChurnOptions {
  readonly seed: number;
  readonly aors: number;
  /** Operations per batch, at most. */
  readonly batch: number;
  /** Bytes of a record, at most. */
  readonly bytes: number;
}

/** What an AOR has: the text its record was made of, or the expiry that a refresh gave it. */
export interface Kept {
  readonly text: string;
  expiresAt: number;
}

export type State = Map<number, Kept>;

interface Operation {
  readonly n: number;
  readonly kind: 'record' | 'refresh' | 'removal';
  readonly text: string;
  readonly bytes: number;
  readonly expiresAt: number;
}

const HOUR = 3_600_000;
const FAR = Date.UTC(2100, 0, 1);

function operations({ seed, aors, batch, bytes }: ChurnOptions, index: number): Operation[] {
  const random = seeded(seed * 1_000_003 + index);
  const seen = new Set<number>();
  const list: Operation[] = [];
  for (let i = 1 + Math.floor(random() * batch); i > 0; i--) {
    const n = Math.floor(random() * aors);
    const kind = random();
    const size = 40 + Math.floor(random() * random() * bytes);
    if (seen.has(n)) continue;
    seen.add(n);
    list.push({
      n,
      kind: kind < 0.4 ? 'record' : kind < 0.8 ? 'refresh' : 'removal',
      text: textOf(n, index),
      bytes: size,
      expiresAt: FAR + index * HOUR,
    });
  }
  return list;
}

/** Puts the record of an AOR as batch `index` makes it. */
export function putPlain(writes: WriteSet, n: number, index: number, bytes: number): void {
  const [k0, k1, k2, k3] = keyWords(n);
  const row = new RowCopy();
  putRecord(writes, n, textOf(n, index), bytes);
  row.identityHigh = 0;
  row.identityLow = n + 1;
  row.expiresAt = FAR + index * HOUR;
  row.grantedS = 3600;
  row.cseq = index;
  writes.describePlain(writes.find(k0, k1, k2, k3), row);
}

/** The same to a state. */
export function applyPlain(state: State, n: number, index: number): void {
  state.set(n, { text: textOf(n, index), expiresAt: FAR + index * HOUR });
}

function textOf(n: number, index: number): string {
  return `${n}/${index}/`;
}

/** Fills the working set with batch `index`; the store tells which AORs can be refreshed. */
export function churnBatch(store: LocationStore, writes: WriteSet, options: ChurnOptions, index: number): void {
  const row = new RowCopy();
  writes.clear();
  for (const { n, kind, bytes, expiresAt } of operations(options, index)) {
    const [k0, k1, k2, k3] = keyWords(n);
    if (kind === 'removal') writes.put(k0, k1, k2, k3, 0);
    else if (kind === 'record') putPlain(writes, n, index, bytes);
    else if (store.find(k0, k1, k2, k3, row)) {
      row.expiresAt = expiresAt;
      row.cseq = index;
      writes.refresh(k0, k1, k2, k3, row);
    }
  }
}

/** The same to a state. */
export function apply(state: State, options: ChurnOptions, index: number): void {
  for (const { n, kind, text, expiresAt } of operations(options, index)) {
    const kept = state.get(n);
    if (kind === 'removal') state.delete(n);
    else if (kind === 'record') state.set(n, { text, expiresAt });
    else if (kept !== undefined) kept.expiresAt = expiresAt;
  }
}

/** What a store holds, as one text per AOR; plain rows alone, and the index agrees with the rows. */
export function contentOf(store: LocationStore): Map<string, string> {
  const content = new Map<string, string>();
  const row = new RowCopy();
  const words = new Uint32Array(AOR_KEY_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  store.scan((key, record) => {
    bytes.set(key);
    const [k0, n, k2, k3] = words;
    if (!store.find(k0, n, k2, k3, row)) throw new Error(`a record that nobody finds: ${n}`);
    const text = Buffer.from(record.subarray(8, 40)).toString('latin1').split('/', 2).join('/');
    content.set(String(n), `${text}/ until ${row.expiresAt}, cseq ${row.cseq}`);
  });
  if (content.size !== store.aors) throw new Error(`${content.size} records, ${store.aors} AORs`);
  return content;
}

export function contentOfState(state: State): Map<string, string> {
  return new Map(
    [...state].map(([n, { text, expiresAt }]) => [
      String(n),
      `${text} until ${expiresAt}, cseq ${(expiresAt - FAR) / HOUR}`,
    ]),
  );
}

/** The first difference of two contents, or undefined. */
export function difference(found: Map<string, string>, wanted: Map<string, string>): string | undefined {
  for (const [n, text] of wanted) if (found.get(n) !== text) return `AOR ${n}: ${found.get(n)} instead of ${text}`;
  for (const [n, text] of found) if (!wanted.has(n)) return `AOR ${n}: ${text} instead of nothing`;
  return undefined;
}
