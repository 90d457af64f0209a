// Bindings as elements of registration information (RFC 3680 §5.1): the event of a change, the published fields of a contact, and an id
// that stays the same while its URI does.

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
 * By CHANGE_*. After its connection has closed or an operator has removed the binding, the phone may register at once (`deactivated`).
 * An evicted phone should not return by itself (`rejected`): it would evict the next.
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

  /** @param key 16 secret bytes, so that nobody can choose contacts with colliding ids */
  constructor(key: Uint8Array) {
    this.hash = new SipHash(key, 2, 4);
  }

  /** The element of the contact whose image is at bytes[at]. @param aor canonical, for its GRUU; null: GRUUs are off */
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
   * The id of a contact. Flows of one instance have one URI and are bindings of their own (RFC 5626 §6), so reg-id and instance count, too.
   * It covers the whole URI, also parts that watchers do not see: devices behind one address stay apart, and the key prevents guesses.
   */
  private idOf(bytes: Uint8Array, at: number, uri: string): string {
    const regId = regIdOf(bytes, at);
    const flow = regId === 0 ? '' : ` ${regId} ${shownText(bytes, instanceAt(bytes, at), instanceEnd(bytes, at))}`;
    return this.id(`${foldedUri(uri)}${flow}`);
  }
}

/** The event of a contact in the current state. */
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

/** Media ranges that include the document's type, the most specific first. */
const RANGES = [/^application\s*\/\s*reginfo\+xml$/i, /^application\s*\/\s*\*$/i, /^\*\s*\/\s*\*$/];

/** Whether an Accept value, which may be empty, includes the document's type; q=0 refuses a range (RFC 2616 §14.1). */
export function acceptsReginfo(accept: string): boolean {
  const listed = splitValues(accept).map(readParams);
  for (const range of RANGES) {
    const found = listed.find(({ value }) => range.test(value));
    if (found !== undefined) return Number(found.params.q ?? 1) !== 0;
  }
  return false;
}

/** The URI with its host and parameters in lower case: only the user is compared with case (RFC 3261 §19.1.4). */
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
