// Bindings as elements of registration information (RFC 3680 §5.1): which event a change is, what of a contact is told, and an id that
// stays the same while its URI does.

import { readParams, splitValues } from '../../sip/message/params.ts';
import { aorText, shownText, uriText } from '../../sip/shown-text.ts';
import { SipHash } from '../../sip/siphash.ts';
import {
  callIdEnd,
  cseqOf,
  displayAt,
  expiresAtOf,
  hasFlag,
  instanceAt,
  instanceEnd,
  paramsEnd,
  refreshedAtOf,
  regIdOf,
  registeredAtOf,
  uriAt,
  uriEnd,
} from '../binding/binding.ts';
import {
  CHANGE_EVICTED,
  CHANGE_EXPIRED,
  CHANGE_FLOW_ENDED,
  CHANGE_REFRESHED,
  CHANGE_REGISTERED,
  CHANGE_REMOVED,
  CHANGE_UNREGISTERED,
} from '../binding/changes.ts';
import { IMAGE_STATIC } from '../binding/image-layout.ts';
import { isGruuInstance } from '../register/gruu.ts';
import { publicGruu } from '../wasm/aor-words.ts';
import type { ContactElement, ContactEvent } from './reginfo.ts';

/**
 * By CHANGE_*. Where the connection has ended or an operator has taken the binding out, its phone may register at once (`deactivated`).
 * A phone that had to make place for others is not to come back by itself (`rejected`): it would push out the next.
 */
export const EVENT_OF_CHANGE: Readonly<Record<number, ContactEvent>> = {
  [CHANGE_REGISTERED]: 'registered',
  [CHANGE_REFRESHED]: 'refreshed',
  [CHANGE_UNREGISTERED]: 'unregistered',
  [CHANGE_EXPIRED]: 'expired',
  [CHANGE_EVICTED]: 'rejected',
  [CHANGE_FLOW_ENDED]: 'deactivated',
  [CHANGE_REMOVED]: 'deactivated',
};

/** Parameters of a contact that have an attribute of their own. */
const KNOWN = ['q', 'expires'];

export class ContactElements {
  private readonly hash: SipHash;

  /** @param key 16 secret bytes: nobody can choose contacts whose ids collide */
  constructor(key: Uint8Array) {
    this.hash = new SipHash(key, 2, 4);
  }

  /** Of the contact whose image is at bytes[at]. @param aor canonical, for its GRUU; null: none are given out */
  of(bytes: Uint8Array, at: number, event: ContactEvent, aor: Uint8Array | null): ContactElement {
    const uri = uriText(bytes, uriAt(bytes, at), uriEnd(bytes, at));
    const isStatic = hasFlag(bytes, at, IMAGE_STATIC);
    const display = unquoted(shownText(bytes, displayAt(bytes, at), uriAt(bytes, at)).trim());
    const { params } = readParams(`x${shownText(bytes, uriEnd(bytes, at), paramsEnd(bytes, at))}`);
    const { q } = params;
    return {
      id: this.idOf(bytes, at, uri),
      event,
      uri,
      ...(display !== '' && { displayName: display }),
      ...(!isStatic && {
        expiresAt: expiresAtOf(bytes, at),
        registeredAt: registeredAtOf(bytes, at),
        callId: shownText(bytes, paramsEnd(bytes, at), callIdEnd(bytes, at)),
        cseq: cseqOf(bytes, at),
      }),
      ...(typeof q === 'string' && { q }),
      params: Object.entries(params).flatMap(([name, value]): [string, string][] =>
        KNOWN.includes(name) ? [] : [[name, value ?? '']],
      ),
      ...(aor !== null && gruuOf(bytes, at, aor, uri)),
    };
  }

  /** The id of a registration or a contact: 16 hex digits behind a letter. */
  id(text: string): string {
    const bytes = Buffer.from(text);
    this.hash.begin();
    this.hash.span(bytes, 0, bytes.length);
    this.hash.end();
    const [low, high] = this.hash.out;
    return `i${hex(high)}${hex(low)}`;
  }

  /**
   * Flows of one instance have one URI and are bindings of their own (RFC 5626 §6). It is of the whole URI, also where a part of that is
   * told to nobody else: devices behind one address stay apart, and its key lets nobody guess the rest.
   */
  private idOf(bytes: Uint8Array, at: number, uri: string): string {
    const regId = regIdOf(bytes, at);
    const flow = regId === 0 ? '' : ` ${regId} ${shownText(bytes, instanceAt(bytes, at), instanceEnd(bytes, at))}`;
    return this.id(`${foldedUri(uri)}${flow}`);
  }
}

/** Why a contact that stands is there. */
export function eventOfState(bytes: Uint8Array, at: number): ContactEvent {
  if (hasFlag(bytes, at, IMAGE_STATIC)) return 'created';
  return refreshedAtOf(bytes, at) > registeredAtOf(bytes, at) ? 'refreshed' : 'registered';
}

/** A canonical AOR as a SIP URI. */
export function aorUri(aor: Uint8Array, scheme: 'sip' | 'sips' = 'sip'): string {
  const text = aorText(aor, 0, aor.length);
  const at = text.lastIndexOf('@');
  return `${scheme}:${text.slice(0, at).replace(/[^\w\-.!~*'()&=+$,;?/%]/gu, encodeURIComponent)}${text.slice(at)}`;
}

/** Media ranges that the document is of, the most specific first. */
const RANGES = [/^application\s*\/\s*reginfo\+xml$/i, /^application\s*\/\s*\*$/i, /^\*\s*\/\s*\*$/];

/** Whether a header row that lists media ranges, or none at all, has one that the document is of; q=0 refuses one (RFC 2616 §14.1). */
export function acceptsReginfo(accept: string): boolean {
  const listed = splitValues(accept).map(readParams);
  for (const range of RANGES) {
    const found = listed.find(({ value }) => range.test(value));
    if (found !== undefined) return Number(found.params.q ?? 1) !== 0;
  }
  return false;
}

/** The user is told apart by case, all else is not (RFC 3261 §19.1.4). */
function foldedUri(uri: string): string {
  const host = uri.lastIndexOf('@') + 1;
  return host === 0 ? uri.toLowerCase() : uri.slice(0, host) + uri.slice(host).toLowerCase();
}

function gruuOf(bytes: Uint8Array, at: number, aor: Uint8Array, uri: string): { publicGruu?: string } {
  const instance = instanceAt(bytes, at);
  const end = instanceEnd(bytes, at);
  if (!isGruuInstance(bytes, instance, end)) return {};
  return { publicGruu: Buffer.from(publicGruu(aor, /^sips:/i.test(uri), bytes, instance, end)).toString('utf8') };
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

function unquoted(text: string): string {
  return /^".*"$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}
