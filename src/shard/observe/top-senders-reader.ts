// The main thread's reader of the top senders (top-senders.ts): over all shards, as rates. It never asks or waits for a shard.

import { aorText } from '../../sip/shown-text.ts';
import {
  CONTROL_DOUBLES,
  KIND_AOR,
  KIND_SOURCE,
  TALKER_EXCESS,
  TALKER_LENGTH,
  TALKER_MESSAGES,
  TALKER_REFUSED,
  TALKER_TEXT,
  TALKERS,
  talkerAt,
  WINDOW_DOUBLES,
} from './top-senders.ts';

export interface TopSender {
  /** An IP address, or an address-of-record. */
  readonly name: string;
  /** Messages per second, estimated from a sample. */
  readonly perSecond: number;
  /** Refused ones of those. */
  readonly refusedPerSecond: number;
}

export interface TopSenderLists {
  readonly sources: readonly TopSender[];
  readonly aors: readonly TopSender[];
}

const TRIES = 8;
/** Older windows are ignored. */
const STALE_MS = 60_000;

/** @param memories one per shard @param now epoch ms */
export function readTopSenders(memories: readonly SharedArrayBuffer[], max: number, now: number): TopSenderLists {
  const sources = new Map<string, [messages: number, refused: number]>();
  const aors = new Map<string, [messages: number, refused: number]>();
  for (const memory of memories) {
    const copy = copyOf(memory);
    for (const window of [0, 1]) {
      const began = copy[CONTROL_DOUBLES + window * WINDOW_DOUBLES];
      if (now - began > STALE_MS) continue;
      // The counts of both windows begin with the older one.
      const other = copy[CONTROL_DOUBLES + (1 - window) * WINDOW_DOUBLES];
      const since = now - other > STALE_MS ? began : Math.min(began, other);
      const seconds = Math.max(1, (now - since) / 1000);
      collect(copy, window, KIND_SOURCE, seconds, sources);
      collect(copy, window, KIND_AOR, seconds, aors);
    }
  }
  return { sources: topOf(sources, max), aors: topOf(aors, max) };
}

/** A consistent copy; the last one where the shard kept writing. */
function copyOf(memory: SharedArrayBuffer): Float64Array {
  const words = new Int32Array(memory);
  let copy: Float64Array = new Float64Array(0);
  for (let tries = 0; tries < TRIES; tries++) {
    const before = Atomics.load(words, 0);
    copy = new Float64Array(memory.slice(0));
    if ((before & 1) === 0 && Atomics.load(words, 0) === before) break;
  }
  return copy;
}

function collect(
  copy: Float64Array,
  window: number,
  kind: number,
  seconds: number,
  into: Map<string, [messages: number, refused: number]>,
): void {
  for (let entry = 0; entry < TALKERS; entry++) {
    const at = talkerAt(window, kind, entry);
    const messages = copy[at + TALKER_MESSAGES] - copy[at + TALKER_EXCESS];
    if (!(messages > 0)) continue;
    const text = new Uint8Array(copy.buffer, (at + TALKER_TEXT) * 8, copy[at + TALKER_LENGTH]);
    const name = aorText(text, 0, text.length);
    const [before, refused] = into.get(name) ?? [0, 0];
    into.set(name, [before + messages / seconds, refused + copy[at + TALKER_REFUSED] / seconds]);
  }
}

function topOf(found: ReadonlyMap<string, [number, number]>, max: number): TopSender[] {
  return [...found]
    .map(([name, [perSecond, refusedPerSecond]]) => ({ name, perSecond, refusedPerSecond }))
    .sort((a, b) => b.perSecond - a.perSecond)
    .slice(0, max);
}
