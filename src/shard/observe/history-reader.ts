// The main thread's reader of the shards' histories (history.ts). It never asks or waits for a shard; entries overwritten
// meanwhile are left out. Entries as bytes, also of copies kept elsewhere, and as plain data.

import { formatIp } from '../../sip/ip.ts';
import { aorText, shownText, uriText } from '../../sip/shown-text.ts';
import { LISTENER_ADMIN, LISTENER_PROGRAM, TRANSPORT_NAMES } from '../../sip/sources.ts';
import { type BindingEventType, CHANGE_TYPES } from './binding-events.ts';
import {
  ENTRY_AOR_LENGTH,
  ENTRY_AT,
  ENTRY_BYTES_MAX,
  ENTRY_CSEQ,
  ENTRY_FAMILY,
  ENTRY_IP,
  ENTRY_IS_HASH,
  ENTRY_KEY,
  ENTRY_KIND,
  ENTRY_LENGTHS,
  ENTRY_LISTENER,
  ENTRY_PORT,
  ENTRY_TEXTS,
  ENTRY_TRANSPORT,
  HISTORY_CONTROL_BYTES,
  HISTORY_HEAD,
  HISTORY_SKIP,
  HISTORY_TAIL,
} from './history.ts';

/** Besides the AOR: contact, Call-ID, User-Agent, user. */
const TEXTS = 4;

/** A change of one binding in the history. Texts are cut to 256 bytes. */
export interface PastChange {
  readonly type: BindingEventType;
  /** Epoch ms. */
  readonly at: number;
  /** Cause: a client's request, an operator, the program around the registrar, or time. */
  readonly by: 'client' | 'operator' | 'program' | 'server';
  /** The user that the request was authenticated for. */
  readonly user?: string;
  /** Source of the request; after an expiry or a closed connection, source of the binding. */
  readonly source?: { readonly address: string; readonly port: number; readonly transport: string };
  /** Its URI; absent where it is no longer known. */
  readonly contact?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly userAgent?: string;
  /** Of a removed binding: the program that asked for it, such as `curl-8.5.0`, or the reason, such as `user-removed`. */
  readonly program?: string;
}

/** Takes the entries written since the last call; overwritten ones are left out. */
export class HistoryCursor {
  private readonly memory: SharedArrayBuffer;
  private readonly control: Int32Array;
  private at: number;

  /** Begins with the oldest entry. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.control = new Int32Array(memory, 0, HISTORY_CONTROL_BYTES >> 2);
    this.at = Atomics.load(this.control, HISTORY_TAIL);
  }

  /** Whole entries, back to back, and the number of bytes overwritten before they could be taken. */
  take(): { readonly bytes: Buffer; readonly lost: number } {
    const { memory, control } = this;
    const head = Atomics.load(control, HISTORY_HEAD);
    let lost = this.behind(this.at);
    const from = (this.at + lost) | 0;
    const length = (head - from) | 0;
    this.at = head;
    if (length <= 0) return { bytes: NONE, lost };
    const ring = new Uint8Array(memory, HISTORY_CONTROL_BYTES);
    const bytes = Buffer.allocUnsafe(length);
    const first = from & (ring.length - 1);
    const turn = Math.min(length, ring.length - first);
    bytes.set(ring.subarray(first, first + turn));
    bytes.set(ring.subarray(0, length - turn), turn);
    const meanwhile = Math.min(length, this.behind(from));
    lost += meanwhile;
    return { bytes: withoutSkip(bytes, meanwhile, turn), lost };
  }

  /** Bytes from `at` on that are being overwritten. */
  private behind(at: number): number {
    return Math.max(0, (Atomics.load(this.control, HISTORY_TAIL) - at) | 0);
  }
}

const NONE = Buffer.alloc(0);

/** The bytes from `at` on, without the gap at the end of the ring, which is at `turn`. */
function withoutSkip(bytes: Buffer, at: number, turn: number): Buffer {
  for (let p = at; p < turn; p += bytes.readUInt32LE(p))
    if (bytes.readUInt32LE(p) === HISTORY_SKIP) return Buffer.concat([bytes.subarray(at, p), bytes.subarray(turn)]);
  return bytes.subarray(at);
}

/** Offsets of the entries; stops before the first invalid one. */
export function* entriesIn(bytes: Buffer): Generator<number> {
  for (let at = 0; at + ENTRY_TEXTS <= bytes.length; ) {
    const length = entryLength(bytes, at);
    if (length === 0) return;
    yield at;
    at += length;
  }
}

/** Bytes of the entry at `at`; 0 where there is none. */
export function entryLength(bytes: Buffer, at: number): number {
  if (at + ENTRY_TEXTS > bytes.length) return 0;
  const length = bytes.readUInt32LE(at);
  if (length < ENTRY_TEXTS || length > ENTRY_BYTES_MAX || (length & 7) !== 0 || at + length > bytes.length) return 0;
  let texts = ENTRY_TEXTS + bytes[at + ENTRY_AOR_LENGTH];
  for (let index = 0; index < TEXTS; index++) texts += bytes.readUInt16LE(at + ENTRY_LENGTHS + 2 * index);
  return texts <= length && bytes[at + ENTRY_KIND] in CHANGE_TYPES ? length : 0;
}

export function isOfKey(bytes: Buffer, at: number, key: Uint32Array): boolean {
  for (let i = 0; i < 4; i++) if (bytes.readUInt32LE(at + ENTRY_KEY + 4 * i) !== key[i]) return false;
  return true;
}

export function keyAt(bytes: Buffer, at: number): Uint32Array {
  return Uint32Array.from({ length: 4 }, (_, i) => bytes.readUInt32LE(at + ENTRY_KEY + 4 * i));
}

/** Time of the entry at `at`. */
export function timeAt(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at + ENTRY_AT);
}

/** The AOR of the entry at `at`, as text; empty where the shard did not know it. */
export function aorAt(bytes: Buffer, at: number): string {
  const length = bytes[at + ENTRY_AOR_LENGTH];
  let from = at + ENTRY_TEXTS;
  for (let index = 0; index < TEXTS; index++) from += bytes.readUInt16LE(at + ENTRY_LENGTHS + 2 * index);
  return length === 0 ? '' : aorText(bytes, from, from + length);
}

export function changeAt(bytes: Buffer, at: number): PastChange {
  return changeOf(bytes.subarray(at, at + bytes.readUInt32LE(at)));
}

function changeOf(entry: Buffer): PastChange {
  const listener = entry[ENTRY_LISTENER];
  const type = CHANGE_TYPES[entry[ENTRY_KIND] as keyof typeof CHANGE_TYPES];
  const [contact, callId, userAgent, user] = textsOf(entry);
  const family = entry[ENTRY_FAMILY];
  const cseq = entry.readUInt32LE(ENTRY_CSEQ);
  const hasSource = family !== 0 && !(type === 'removed' && entry.readUInt16LE(ENTRY_PORT) === 0);
  return {
    type,
    at: entry.readDoubleLE(ENTRY_AT),
    by: type === 'expired' || type === 'flow-ended' ? 'server' : whoOf(listener),
    ...(user !== '' && { user: entry[ENTRY_IS_HASH] === 1 ? `userhash ${user}` : user }),
    ...(hasSource && {
      source: {
        address: formatIp(family, entry, ENTRY_IP),
        port: entry.readUInt16LE(ENTRY_PORT),
        transport: type === 'removed' ? 'http' : TRANSPORT_NAMES[entry[ENTRY_TRANSPORT]],
      },
    }),
    ...(contact !== '' && { contact }),
    ...(callId !== '' && { callId }),
    ...(cseq !== 0 && { cseq }),
    ...(userAgent !== '' && { userAgent }),
    // An operator's request is made by the admin API, with the program in place of a host in its Call-ID.
    ...(type === 'removed' && callId.includes('@') && { program: callId.slice(callId.lastIndexOf('@') + 1) }),
  };
}

function textsOf(entry: Buffer): string[] {
  let at = ENTRY_TEXTS;
  return Array.from({ length: TEXTS }, (_, index) => {
    const from = at;
    at += entry.readUInt16LE(ENTRY_LENGTHS + 2 * index);
    return index === 0 ? uriText(entry, from, at) : shownText(entry, from, at);
  });
}

function whoOf(listener: number): PastChange['by'] {
  if (listener === LISTENER_ADMIN) return 'operator';
  return listener === LISTENER_PROGRAM ? 'program' : 'client';
}

/**
 * @param changes of one AOR, the oldest first. The expiry of an only binding does not read its record: its contact is that of the
 *   change before, if there is one.
 */
export function withContacts(changes: readonly PastChange[]): PastChange[] {
  let last: string | undefined;
  return changes.map((change) => {
    const contact = change.contact ?? last;
    last = contact;
    return { ...change, ...(contact !== undefined && { contact }) };
  });
}
