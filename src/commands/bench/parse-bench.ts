// Measures the parser over given messages: copied in, parsed, read back, and the share of each step. Best and median of
// many slices in one process; nothing here prints.

import { E_OK } from '../../sip/parser/parse-error.ts';
import { indexOnly, parse } from '../../sip/parser/parser.ts';
import { SLOT_COUNT, slotStart, slab as theSlab, table as theTable } from '../../sip/parser/slab.ts';
import {
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  CONTACT_EXPIRES,
  CONTACT_INSTANCE_AT,
  CONTACT_Q,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTACTS,
  T_CSEQ,
  T_CSEQ_METHOD,
  T_ERROR,
  T_ERROR_AT,
  T_EXPIRES,
  T_FROM,
  T_KIND,
  T_METHOD,
  T_REQUIRE,
  T_REQUIRE_UNKNOWN,
  T_SUPPORTED,
  T_TO,
  T_VIA_COUNT,
  T_VIAS,
  URI_AT,
  URI_END,
  URI_HOST_AT,
  URI_HOST_END,
  URI_USER_AT,
  URI_USER_END,
  VIA_BRANCH_AT,
  VIA_BRANCH_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_RPORT_AT,
} from '../../sip/parser/span-table.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import at each use.
const slab = theSlab;
const table = theTable;

/** Fewest calls of one slice: long enough for the clock, short enough to find a quiet moment. */
const SLICE_CALLS = 1024;

/** Nanoseconds per message. */
export interface Timing {
  readonly best: number;
  readonly median: number;
}

/** A message that does not parse. */
export interface Fault {
  /** Index of the message, from 0. */
  readonly message: number;
  /** The parser's error code. */
  readonly code: number;
  /** Bytes from the start of the message. */
  readonly offset: number;
}

export interface ParseBench {
  readonly messages: number;
  /** Checksum of the values read back. */
  readonly checksum: number;
  readonly meanBytes: number;
  /** Number of malformed messages, by the parser's code. */
  readonly malformed: Readonly<Record<number, number>>;
  readonly faults: readonly Fault[];
  /** Copied in, parsed, and thirty fields read back. */
  readonly whole: Timing;
  readonly parse: Timing;
  /** Start line and header rows alone, in place. */
  readonly index: Timing;
  /** Megabytes per second of the whole, in its best slice. */
  readonly megabytesPerSecond: number;
  /** Shares of the whole, 0 to 1, by the best slices. */
  readonly shares: {
    readonly copyIn: number;
    readonly index: number;
    readonly values: number;
    readonly readBack: number;
  };
}

/** Sum of all values read back, so that no compiler can remove the reading. */
let sum = 0;

function copyIn(message: Uint8Array, i: number): number {
  const at = slotStart(i % SLOT_COUNT);
  slab.set(message, at);
  return at;
}

/** Reads thirty fields that a registrar reads of every REGISTER. */
function readBack(): void {
  let read = 0;
  read ^= table[T_ERROR] ^ table[T_KIND] ^ table[T_METHOD];
  read ^= table[T_CALL_ID_AT] ^ table[T_CALL_ID_END] ^ table[T_CSEQ];
  read ^= table[T_CSEQ_METHOD] ^ table[T_EXPIRES] ^ table[T_REQUIRE];
  read ^= table[T_REQUIRE_UNKNOWN] ^ table[T_SUPPORTED] ^ table[T_CONTACT_STAR];
  read ^= table[T_CONTACT_COUNT] ^ table[T_VIA_COUNT] ^ table[T_TO + URI_USER_AT];
  read ^= table[T_TO + URI_USER_END] ^ table[T_TO + URI_HOST_AT] ^ table[T_TO + URI_HOST_END];
  read ^= table[T_FROM + ADDRESS_TAG_AT] ^ table[T_FROM + ADDRESS_TAG_END] ^ table[T_VIAS + VIA_BRANCH_AT];
  read ^= table[T_VIAS + VIA_BRANCH_END] ^ table[T_VIAS + VIA_HOST_AT] ^ table[T_VIAS + VIA_HOST_END];
  read ^= table[T_VIAS + VIA_RPORT_AT] ^ table[T_CONTACTS + URI_AT] ^ table[T_CONTACTS + URI_END];
  read ^= table[T_CONTACTS + CONTACT_EXPIRES] ^ table[T_CONTACTS + CONTACT_Q] ^ table[T_CONTACTS + CONTACT_INSTANCE_AT];
  sum ^= read;
}

/** Steps for one message, cheapest first: each does the work of the one before, and more. */
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

/** Best and median slice of each work, in turns, for so many milliseconds in all; nanoseconds per call. */
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

function faultsOf(messages: readonly Uint8Array[]): Fault[] {
  return messages.flatMap((bytes, message) => {
    const at = copyIn(bytes, 0);
    const code = parse(at, at + bytes.length);
    return code === E_OK ? [] : [{ message, code, offset: table[T_ERROR_AT] - at }];
  });
}

/** @param milliseconds for all of it; less than a second gives no meaningful result */
export function benchParse(messages: readonly Uint8Array[], milliseconds: number): ParseBench {
  const faults = faultsOf(messages);
  const malformed: Record<number, number> = {};
  for (const { code } of faults) malformed[code] = (malformed[code] ?? 0) + 1;
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
    checksum: sum,
    meanBytes: Math.round(bytes),
    malformed,
    faults,
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
