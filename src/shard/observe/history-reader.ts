// The main thread's look into the shards' histories (history.ts): the newest changes of an AOR as plain data. The shard is not
// asked and not waited for; what it writes over meanwhile is left out.

import { formatIp } from '../../sip/ip.ts';
import { shownText, uriText } from '../../sip/shown-text.ts';
import { LISTENER_ADMIN, LISTENER_PROGRAM, TRANSPORT_NAMES } from '../../sip/sources.ts';
import { type BindingEventType, CHANGE_TYPES } from './binding-events.ts';
import {
  ENTRY_AT,
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

/** A change of one binding, as the history keeps it. Texts are cut to 256 bytes. */
export interface PastChange {
  readonly type: BindingEventType;
  /** Epoch ms. */
  readonly at: number;
  /** Who brought it about: a client's request, an operator, the program around the registrar, or time. */
  readonly by: 'client' | 'operator' | 'program' | 'server';
  /** The user that the request was authenticated for. */
  readonly user?: string;
  /** Where the request came from; of what just ended, where the binding had come from. */
  readonly source?: { readonly address: string; readonly port: number; readonly transport: string };
  /** Its URI; absent where nobody knows any more. */
  readonly contact?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly userAgent?: string;
}

/** The newest changes of the AOR of a key, newest first. */
export function readHistory(memory: SharedArrayBuffer, key: Uint32Array, max: number): PastChange[] {
  const control = new Int32Array(memory, 0, HISTORY_CONTROL_BYTES >> 2);
  const words = new Uint32Array(memory, HISTORY_CONTROL_BYTES);
  const capacity = memory.byteLength - HISTORY_CONTROL_BYTES;
  const head = Atomics.load(control, HISTORY_HEAD);
  const found: PastChange[] = [];
  let at = Atomics.load(control, HISTORY_TAIL);
  while (((head - at) | 0) > 0) {
    const offset = at & (capacity - 1);
    const length = words[offset >> 2];
    const entry = length !== HISTORY_SKIP && hasKey(words, offset, key) ? copy(memory, offset, length) : undefined;
    const tail = Atomics.load(control, HISTORY_TAIL);
    if (((tail - at) | 0) > 0) {
      at = tail; // what was just read may have been half written over
      continue;
    }
    if (entry !== undefined) found.push(changeOf(entry));
    at = (at + (length === HISTORY_SKIP ? capacity - offset : length)) | 0;
  }
  return withContacts(found).reverse().slice(0, max);
}

function hasKey(words: Uint32Array, offset: number, key: Uint32Array): boolean {
  const at = (offset + ENTRY_KEY) >> 2;
  return words[at] === key[0] && words[at + 1] === key[1] && words[at + 2] === key[2] && words[at + 3] === key[3];
}

function copy(memory: SharedArrayBuffer, offset: number, length: number): Buffer {
  const from = HISTORY_CONTROL_BYTES + offset;
  return Buffer.from(new Uint8Array(memory.slice(from, Math.min(from + length, memory.byteLength))));
}

function changeOf(entry: Buffer): PastChange {
  const listener = entry[ENTRY_LISTENER];
  const type = CHANGE_TYPES[entry[ENTRY_KIND] as keyof typeof CHANGE_TYPES];
  const [contact, callId, userAgent, user] = textsOf(entry);
  const family = entry[ENTRY_FAMILY];
  const cseq = entry.readUInt32LE(ENTRY_CSEQ);
  return {
    type,
    at: entry.readDoubleLE(ENTRY_AT),
    by: type === 'expired' || type === 'flow-ended' ? 'server' : whoOf(listener),
    ...(user !== '' && { user: entry[ENTRY_IS_HASH] === 1 ? `userhash ${user}` : user }),
    ...(family !== 0 && {
      source: {
        address: formatIp(family, entry, ENTRY_IP),
        port: entry.readUInt16LE(ENTRY_PORT),
        transport: TRANSPORT_NAMES[entry[ENTRY_TRANSPORT]],
      },
    }),
    ...(contact !== '' && { contact }),
    ...(callId !== '' && { callId }),
    ...(cseq !== 0 && { cseq }),
    ...(userAgent !== '' && { userAgent }),
  };
}

function textsOf(entry: Buffer): string[] {
  let at = ENTRY_TEXTS;
  return [0, 1, 2, 3].map((index) => {
    const from = at;
    at += entry.readUInt16LE(ENTRY_LENGTHS + 2 * index);
    return index === 0 ? uriText(entry, from, at) : shownText(entry, from, at);
  });
}

function whoOf(listener: number): PastChange['by'] {
  if (listener === LISTENER_ADMIN) return 'operator';
  return listener === LISTENER_PROGRAM ? 'program' : 'client';
}

/** An only binding that ran out was not looked at for that: its contact is that of the change before, where it is here. */
function withContacts(changes: readonly PastChange[]): PastChange[] {
  let last: string | undefined;
  return changes.map((change) => {
    const contact = change.contact ?? last;
    last = contact;
    return { ...change, ...(contact !== undefined && { contact }) };
  });
}
