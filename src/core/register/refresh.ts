// Refreshes: a request that only prolongs the AOR's only binding, so that the kept bytes of its image stay the same.
// It changes the binding's expiry, its CSeq and its nonce. It is decided and answered from the request and that binding alone: image,
// comparison and the 200 in one call of the module.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import { OPTION_GRUU, T_CONTACT_COUNT, T_CONTACT_STAR, T_CONTACTS, T_CSEQ } from '../../sip/parser/span-table.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import type { Identity } from '../binding/identity.ts';
import { IMAGE_BY_CONTACT, IMAGE_DIRECT } from '../binding/image-layout.ts';
import { contactInstanceAt, contactInstanceEnd } from '../binding/instance-id.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import type { Exchange, ExchangeRequest } from '../uas/exchange.ts';
import { dateEnd } from '../wasm/answer-texts.ts';
import { tellAor } from '../wasm/aor-words.ts';
import {
  ANSWER,
  IN_EPOCH,
  IN_IDENTITY,
  IN_IDENTITY_KEY,
  IN_SECONDS,
  SHOWS_CONTACT,
  SHOWS_GRUUS,
} from '../wasm/module-memory.ts';
import { requestModule, toldWords } from '../wasm/request-module.ts';
import { tellSource } from '../wasm/source-words.ts';
import { imageFlags } from './contact/contact-reach.ts';
import { type Gruus, isGruuInstance } from './gruu.ts';
import { flowRegId } from './outbound.ts';
import { supports } from './path.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const told = toldWords;

/**
 * Whether the request in the table may be a refresh of `binding`, as far as the fields without texts tell: one
 * contact, no "*", a binding that has not expired, a CSeq in order for any Call-ID.
 */
export function mayRefresh(binding: PlainBinding, now: number): boolean {
  if (table[T_CONTACT_COUNT] !== 1 || table[T_CONTACT_STAR] !== 0) return false;
  return binding.expiresAt > now && table[T_CSEQ] >>> 0 > binding.cseq;
}

/**
 * Whether the request leaves the binding's kept bytes the same; then the exchange's answer is its 200, and the module's memory has the image.
 * @param granted seconds
 * @param shows SHOWS_* of the extensions, and SHOWS_END
 */
export function refreshBinding(
  exchange: Exchange,
  binding: PlainBinding,
  identity: Identity,
  gruus: Gruus | null,
  granted: number,
  shows: number,
  flowTimer: number,
): boolean {
  const { request, work, result } = exchange;
  const flags = imageFlags(T_CONTACTS, exchange);
  const instance = contactInstanceAt(T_CONTACTS);
  const instanceEnd = contactInstanceEnd(T_CONTACTS);
  let all = isCutOff(flags, request) ? shows : shows | SHOWS_CONTACT;
  if (gruus !== null && supports(OPTION_GRUU) && isGruuInstance(slab, instance, instanceEnd)) {
    all |= SHOWS_GRUUS;
    tellAor(request.aor, request.aorLength, request.aorKey, gruus);
  }
  tellSource(request.peers, request.peer, request.tagHigh, request.tagLow);
  told[IN_IDENTITY] = binding.identityHigh;
  told[IN_IDENTITY + 1] = binding.identityLow;
  for (let i = 0; i < 4; i++) told[IN_IDENTITY_KEY + i] = identity.words[i];
  told[IN_EPOCH] = binding.epoch;
  told[IN_SECONDS] = granted;
  dateEnd(request.now);
  const regId = flowRegId(T_CONTACTS, work);
  const expiresAt = request.now + granted * 1000;
  // Numbers one by one: the module's functions have no objects, and none is made on this path.
  const end = module.refresh(
    T_CONTACTS,
    flags,
    regId,
    instance,
    instanceEnd,
    expiresAt,
    request.now,
    0,
    0,
    all,
    flowTimer,
  );
  if (end === 0) return false;
  result.answer.at = ANSWER;
  result.answer.advance(end);
  result.status = 200;
  return true;
}

/** The connection has closed meanwhile, and the answer leaves out a binding that ends with it (live-flow.ts). */
function isCutOff(flags: number, { peers, peer, liveFlows }: Readonly<ExchangeRequest>): boolean {
  const flow = peers.flow[peer];
  if (liveFlows === null || flow === 0 || peers.transport[peer] === TRANSPORT_UDP) return false;
  return (flags & (IMAGE_DIRECT | IMAGE_BY_CONTACT)) === IMAGE_DIRECT && !liveFlows.isAlive(flow, peers.node[peer]);
}
