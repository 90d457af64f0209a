// Measures the parser over somebody's messages: copied in, parsed, read back, and what share each of these has. Best and
// median of many slices in one process; nothing here prints.

import { E_OK } from '../sip/parse-error.ts';
import { indexOnly, parse } from '../sip/parser.ts';
import { SLOT_COUNT, slab, slotStart, table } from '../sip/slab.ts';
import * as T from '../sip/span-table.ts';

/** Calls that one slice makes at least: long enough for the clock, short enough to find a quiet moment. */
const SLICE_CALLS = 1024;

/** Fields a registrar reads of every REGISTER. */
const FIELDS = new Int32Array([
  ...[T.T_ERROR, T.T_KIND, T.T_METHOD, T.T_CALL_ID_AT, T.T_CALL_ID_END, T.T_CSEQ, T.T_CSEQ_METHOD, T.T_EXPIRES],
  ...[T.T_REQUIRE, T.T_REQUIRE_UNKNOWN, T.T_SUPPORTED, T.T_CONTACT_STAR, T.T_CONTACT_COUNT, T.T_VIA_COUNT],
  ...[T.T_TO + T.URI_USER_AT, T.T_TO + T.URI_USER_END, T.T_TO + T.URI_HOST_AT, T.T_TO + T.URI_HOST_END],
  ...[T.T_FROM + T.ADDRESS_TAG_AT, T.T_FROM + T.ADDRESS_TAG_END, T.T_VIAS + T.VIA_BRANCH_AT],
  ...[T.T_VIAS + T.VIA_BRANCH_END, T.T_VIAS + T.VIA_HOST_AT, T.T_VIAS + T.VIA_HOST_END, T.T_VIAS + T.VIA_RPORT_AT],
  ...[T.T_CONTACTS + T.URI_AT, T.T_CONTACTS + T.URI_END, T.T_CONTACTS + T.CONTACT_EXPIRES, T.T_CONTACTS + T.CONTACT_Q],
  T.T_CONTACTS + T.CONTACT_INSTANCE_AT,
]);

/** Nanoseconds per message. */
export interface Timing {
  readonly best: number;
  readonly median: number;
}

export interface ParseBench {
  readonly messages: number;
  readonly meanBytes: number;
  /** How many do not parse, by the parser's code. */
  readonly malformed: Readonly<Record<number, number>>;
  /** Copied in, parsed, thirty fields read back. */
  readonly whole: Timing;
  readonly parse: Timing;
  /** Start line and header rows alone, in place. */
  readonly index: Timing;
  /** Megabytes per second of the whole, by its best slice. */
  readonly megabytesPerSecond: number;
  /** Shares of the whole, 0 to 1, by the best slices. */
  readonly shares: {
    readonly copyIn: number;
    readonly index: number;
    readonly values: number;
    readonly readBack: number;
  };
}

let sum = 0;

function copyIn(message: Uint8Array, i: number): number {
  const at = slotStart(i % SLOT_COUNT);
  slab.set(message, at);
  return at;
}

function readBack(): void {
  for (let i = 0; i < FIELDS.length; i++) sum = (sum + table[FIELDS[i]]) | 0;
}

/** What one message is put through, cheapest first: each does what the one before does, and more. */
const STEPS: readonly ((message: Uint8Array, i: number) => void)[] = [
  (message, i) => copyIn(message, i),
  (message, i) => {
    const at = copyIn(message, i);
    indexOnly(at, at + message.length);
  },
  (message, i) => {
    const at = copyIn(message, i);
    parse(at, at + message.length);
  },
  (message, i) => {
    const at = copyIn(message, i);
    parse(at, at + message.length);
    readBack();
  },
];

/** Best and median slice of each work, turn by turn, for so many milliseconds in all; nanoseconds per call. */
export function timeTurns(works: readonly (() => void)[], calls: number, milliseconds: number): Timing[] {
  const slices: number[][] = works.map(() => []);
  const end = performance.now() + milliseconds;
  let turns = 0;
  while (performance.now() < end || turns < 5) {
    for (const [w, work] of works.entries()) {
      const started = process.hrtime.bigint();
      work();
      slices[w].push(Number(process.hrtime.bigint() - started) / calls);
    }
    turns++;
  }
  return slices.map((all) => {
    const sorted = all.sort((a, b) => a - b);
    return { best: sorted[0], median: sorted[sorted.length >> 1] };
  });
}

/** @param milliseconds for all of it; at least a second says something */
export function benchParse(messages: readonly Uint8Array[], milliseconds: number): ParseBench {
  const malformed: Record<number, number> = {};
  for (const message of messages) {
    const at = copyIn(message, 0);
    const error = parse(at, at + message.length);
    if (error !== E_OK) malformed[error] = (malformed[error] ?? 0) + 1;
  }
  const rounds = Math.ceil(SLICE_CALLS / messages.length);
  const works = STEPS.map((step) => () => {
    for (let round = 0; round < rounds; round++) for (let i = 0; i < messages.length; i++) step(messages[i], i);
  });
  timeTurns(works, 1, milliseconds / 4);
  const [copied, indexed, parsed, whole] = timeTurns(works, rounds * messages.length, milliseconds);
  const bytes = messages.reduce((total, { length }) => total + length, 0) / messages.length;
  const less = (a: Timing, b: Timing): Timing => ({
    best: Math.max(0, a.best - b.best),
    median: Math.max(0, a.median - b.median),
  });
  const share = (a: Timing, b: Timing) => less(a, b).best / whole.best;
  return {
    messages: messages.length,
    meanBytes: Math.round(bytes),
    malformed,
    whole,
    parse: less(parsed, copied),
    index: less(indexed, copied),
    megabytesPerSecond: (bytes * 1000) / whole.best,
    shares: {
      copyIn: copied.best / whole.best,
      index: share(indexed, copied),
      values: share(parsed, indexed),
      readBack: share(whole, parsed),
    },
  };
}
