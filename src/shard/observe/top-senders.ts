// The senders with the most recent messages: a sample of the messages, counted by source and by address-of-record in small tables of
// shared memory. A newcomer replaces the sender with the least (Metwally's space-saving), so memory is bounded and no frequent sender
// is missed. Requests are read again after their answers have been sent. top-senders-reader.ts reads the tables.
// @hot

import type { BatchResponses } from '../../core/uas/batch-responses.ts';
import { writeIp } from '../../sip/ip.ts';
import { parse } from '../../sip/parser/parser.ts';
import { slab, slotStart, table } from '../../sip/parser/slab.ts';
import { METHOD_REGISTER, T_METHOD, T_REQUEST_URI, T_TO, URI_USER_AT } from '../../sip/parser/span-table.ts';
import type { Peers } from '../../sip/sources.ts';
import { canonicalAor } from '../../sip/uri/uri.ts';
import { OUTCOME_FAILED, OUTCOME_REJECTED } from './measures.ts';

/** Entries of a table. */
export const TALKERS = 48;
/** Time that a table counts; the one before it is still read. */
const WINDOW_MS = 10_000;

// Two windows, each with its beginning and two tables; an entry is doubles and a text.
export const KIND_SOURCE = 0;
export const KIND_AOR = 1;
/** Doubles of an entry: messages, refused ones, those that may be another sender's; then its hash, the text's length, the text. */
export const TALKER_MESSAGES = 0;
export const TALKER_REFUSED = 1;
export const TALKER_EXCESS = 2;
const TALKER_HASH = 3;
export const TALKER_LENGTH = 4;
export const TALKER_TEXT = 5;
const TEXT_BYTES = 104;
const TALKER_DOUBLES = TALKER_TEXT + TEXT_BYTES / 8;
const TABLE_DOUBLES = TALKERS * TALKER_DOUBLES;
/** Beginning of the window, epoch ms; then the tables. */
export const WINDOW_DOUBLES = 1 + 2 * TABLE_DOUBLES;
/** A number that is odd while the tables are written, and the window being written. */
export const CONTROL_DOUBLES = 2;
export const TOP_SENDERS_BYTES = 8 * (CONTROL_DOUBLES + 2 * WINDOW_DOUBLES);

/** Offset of an entry, in doubles. */
export function talkerAt(window: number, kind: number, entry: number): number {
  return CONTROL_DOUBLES + window * WINDOW_DOUBLES + 1 + kind * TABLE_DOUBLES + entry * TALKER_DOUBLES;
}

/** Batches of up to SMALL messages are counted whole, of up to MEDIUM every fourth message, of more every sixteenth. */
const SMALL = 2;
const MEDIUM = 16;

export class TopSenders {
  private readonly doubles: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly aor = new Uint8Array(1024);
  private readonly ip = { bytes: new Uint8Array(48), length: 0 };
  private dice = 0x2545f491;
  /** Messages to skip before the next of the sample. */
  private skip = 0;
  private dropSkip = 0;

  constructor(memory: SharedArrayBuffer) {
    this.doubles = new Float64Array(memory);
    this.bytes = new Uint8Array(memory);
    this.words = new Int32Array(memory);
  }

  /** Counts an answered batch. @param lengths of the requests in the slots */
  note(answers: BatchResponses, peers: Peers, lengths: Uint16Array, now: number): void {
    const weight = answers.count <= SMALL ? 1 : answers.count <= MEDIUM ? 4 : 16;
    for (; this.skip < answers.count; this.skip += this.gap(weight)) {
      const row = this.skip;
      const slot = answers.slot[row];
      const at = slotStart(slot);
      parse(at, at + lengths[slot]);
      const outcome = answers.outcome[row];
      const refused = outcome === OUTCOME_REJECTED || outcome === OUTCOME_FAILED ? weight : 0;
      this.begin(now);
      this.countSource(peers, slot, weight, refused);
      if (answers.status[row] !== 0) this.countAor(weight, refused); // else a replay, or no SIP at all
      this.end();
    }
    this.skip -= answers.count;
  }

  /** Counts a message that was dropped unread, because of its source. */
  dropped(peers: Peers, slot: number, now: number): void {
    if (this.dropSkip-- > 0) return;
    this.dropSkip = this.gap(16) - 1;
    this.begin(now);
    this.countSource(peers, slot, 16, 16);
    this.end();
  }

  private countSource(peers: Peers, slot: number, weight: number, refused: number): void {
    let hash = peers.family[slot];
    for (let i = slot << 4, end = i + 16; i < end; i++) hash = Math.imul(hash ^ peers.ip[i], 0x01000193);
    const entry = this.claim(KIND_SOURCE, hash | 0, weight, refused);
    if (entry < 0) return;
    this.ip.length = writeIp(peers, slot, this.ip.bytes);
    this.name(entry, this.ip.bytes, this.ip.length);
  }

  private countAor(weight: number, refused: number): void {
    const isOfUri = table[T_METHOD] !== METHOD_REGISTER && table[T_REQUEST_URI + URI_USER_AT] >= 0;
    const length = canonicalAor(slab, table, isOfUri ? T_REQUEST_URI : T_TO, this.aor);
    if (length <= 0) return;
    let hash = length;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ this.aor[i], 0x01000193);
    const entry = this.claim(KIND_AOR, hash | 0, weight, refused);
    if (entry >= 0) this.name(entry, this.aor, length);
  }

  /** Counts a message of the sender with the hash; returns its entry if that needs a name, else -1. */
  private claim(kind: number, hash: number, weight: number, refused: number): number {
    const { doubles } = this;
    const first = talkerAt(doubles[1], kind, 0);
    let least = first;
    for (let at = first; at < first + TABLE_DOUBLES; at += TALKER_DOUBLES) {
      if (doubles[at + TALKER_HASH] === hash && doubles[at + TALKER_MESSAGES] > 0) {
        doubles[at + TALKER_MESSAGES] += weight;
        doubles[at + TALKER_REFUSED] += refused;
        return -1;
      }
      if (doubles[at + TALKER_MESSAGES] < doubles[least + TALKER_MESSAGES]) least = at;
    }
    doubles[least + TALKER_EXCESS] = doubles[least + TALKER_MESSAGES];
    doubles[least + TALKER_MESSAGES] += weight;
    doubles[least + TALKER_REFUSED] = refused;
    doubles[least + TALKER_HASH] = hash;
    return least;
  }

  private name(entry: number, text: Uint8Array, length: number): void {
    const kept = length < TEXT_BYTES ? length : TEXT_BYTES;
    this.doubles[entry + TALKER_LENGTH] = kept;
    const at = (entry + TALKER_TEXT) * 8;
    for (let i = 0; i < kept; i++) this.bytes[at + i] = text[i];
  }

  /** From here to `end` readers must not use the tables. */
  private begin(now: number): void {
    const { doubles, words } = this;
    Atomics.add(words, 0, 1);
    const began = doubles[CONTROL_DOUBLES + doubles[1] * WINDOW_DOUBLES];
    if (now - began < WINDOW_MS && now >= began) return;
    const next = 1 - doubles[1];
    const at = CONTROL_DOUBLES + next * WINDOW_DOUBLES;
    doubles.fill(0, at, at + WINDOW_DOUBLES);
    doubles[at] = now;
    doubles[1] = next;
  }

  private end(): void {
    Atomics.add(this.words, 0, 1);
  }

  /** Distance to the next of the sample: `mean` on average, random, so that a regular sender cannot hide from it. */
  private gap(mean: number): number {
    if (mean === 1) return 1;
    let dice = this.dice;
    dice ^= dice << 13;
    dice ^= dice >>> 17;
    dice ^= dice << 5;
    this.dice = dice;
    return 1 + ((dice >>> 8) % (2 * mean - 1));
  }
}
