// The registrar: RFC 3261 §10.3, one function per step, in the RFC's order. A pure function of the request in the span
// table, the AOR's bindings and the time; everything it wants done goes into the outbox. No I/O, no clock, no chance.
// Each step returns 0 to go on, or the status of the answer it has written, which ends the request with nothing changed.
// @hot

import { CONTACTS_MAX } from '../../sip/parser/limits.ts';
import { table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  CONTACT_INTS,
  OPTION_GRUU,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTACTS,
  T_CSEQ,
} from '../../sip/parser/span-table.ts';
import { LISTENER_ADMIN } from '../../sip/sources.ts';
import { cseqOf, hasCallIdOfRequest, imageLength, nonceIdOf, raiseNc, setEpoch } from '../binding/binding.ts';
import {
  CHANGE_EVICTED,
  CHANGE_REFRESHED,
  CHANGE_REGISTERED,
  CHANGE_REMOVED,
  CHANGE_UNREGISTERED,
  type ChangeSink,
} from '../binding/changes.ts';
import type { Identity } from '../binding/identity.ts';
import { highestNc } from '../binding/images.ts';
import { isCutOff } from '../binding/live-flow.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import { endedBy } from '../binding/target.ts';
import type { Outbox } from '../uas/outbox.ts';
import { CSEQ_OUT_OF_ORDER, DOMAIN_FULL, PHRASE, TOO_MANY_BINDINGS } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_CSEQ_OUT_OF_ORDER, REASON_DOMAIN_FULL, REASON_TOO_MANY_BINDINGS } from '../uas/reasons.ts';
import { refuse, startResponse } from '../uas/response.ts';
import { dateEnd } from '../wasm/answer-texts.ts';
import { IMAGE, SHOWS_END } from '../wasm/module-memory.ts';
import { moduleBytes, requestModule } from '../wasm/request-module.ts';
import { copyImage, writeImage } from './binding-writer.ts';
import { grantedS, lastGrantedS, requestedExpiresS } from './contact-expires.ts';
import { listContacts } from './contact-list.ts';
import { HomeHeaders } from './domain-headers.ts';
import { shownExtensions, shownFlowTimer } from './extensions.ts';
import { Gruus } from './gruu.ts';
import { hasInstances, settleEpochs } from './gruu-rules.ts';
import { supports } from './path.ts';
import { mayRefresh, refreshBinding } from './refresh.ts';
import { isRepeat } from './repeat.ts';
import { RequestRules } from './request-rules.ts';
import { admitSpellings } from './spelling-rules.ts';
import { WorkingBindings } from './working-bindings.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const module = requestModule;

const GO_ON = 0;

export class Registrar {
  private readonly policy: Policy;
  private readonly rules: RequestRules;
  private readonly gruus: Gruus | null;
  private readonly home: HomeHeaders;
  private readonly bindings = new WorkingBindings();
  /** By contact of the request: 1 where it is written as it was sent. */
  private readonly asSent = new Uint8Array(CONTACTS_MAX);

  /**
   * @param secret 32 bytes: what temporary GRUUs are sealed with
   * @param like another of the same server: where both write the same answers they share what is made for them, so that requests for
   * one after the other cost no more than those for one
   */
  constructor(policy: Policy, secret: Uint8Array, like: Registrar | null = null) {
    this.policy = policy;
    const shares = like !== null && policy.gruu === like.policy.gruu;
    this.gruus = shares ? like.gruus : policy.gruu === 'on' ? new Gruus(secret, policy.gruuGeneration) : null;
    this.home = like?.home ?? new HomeHeaders(policy);
    this.rules = new RequestRules(policy, this.gruus, like?.rules ?? null);
  }

  /** What needs no bindings: is there an AOR to register for, are the contacts acceptable (request-rules.ts)? */
  admit(out: Outbox): number {
    return this.rules.admit(out);
  }

  /** Steps 6 to 8, on the bindings in the outbox. */
  apply(out: Outbox): number {
    this.bindings.load(out, this.policy.flowGraceS > 0);
    const refused = this.step6Wildcard(out) || admitSpellings(out, this.policy, this.asSent) || this.step7Contacts(out);
    if (refused !== GO_ON) return refused;
    return this.step8Answer(out);
  }

  /**
   * Steps 6 to 8 for a request that asks for nothing but that the AOR's only binding live on: decided and answered from the
   * request and that binding, which is changed. GO_ON where it is no such request; then nothing has been done.
   * @param keepsImage whether the binding's image is wanted in the outbox's record
   */
  refresh(out: Outbox, binding: PlainBinding, identity: Identity, keepsImage: boolean): number {
    if (!mayRefresh(binding, out.now) || (binding.epoch === 0 && this.gruus !== null && hasInstances())) return GO_ON;
    const seconds = requestedExpiresS(T_CONTACTS, this.policy);
    if (seconds === 0) return GO_ON;
    const granted = grantedS(out, this.policy, seconds, binding.grantedS);
    const { gruus, policy } = this;
    const isPlain = this.home.isEmpty && out.answerInfo === null;
    const shows = shownExtensions(out, policy) | (isPlain ? SHOWS_END : 0);
    out.grantedS = granted;
    if (!refreshBinding(out, binding, identity, gruus, granted, shows, shownFlowTimer(out, policy))) return GO_ON;
    if (!isPlain) this.endAnswer(out);
    binding.expiresAt = out.now + granted * 1000;
    binding.grantedS = granted;
    binding.cseq = table[T_CSEQ] >>> 0;
    takeNonce(out, binding);
    out.refreshed = 1;
    out.bindingsBefore = 1;
    out.bindingsAfter = 1;
    out.changed = true;
    if (!keepsImage) return 200;
    const { record } = out;
    copyImage(record, imageLength(moduleBytes, IMAGE));
    if (!record.overflow) setEpoch(record.bytes, record.from, binding.epoch);
    return 200;
  }

  /** What `apply` has just changed, binding by binding, into `changes`. */
  report(out: Outbox, aor: Uint8Array, aorLength: number, changes: ChangeSink): void {
    const { bindings } = this;
    for (let at = out.stateAt; at < out.stateEnd; at += imageLength(out.state, at)) {
      const kind = endedBy(out.state, at, out.now, bindings.flows);
      if (kind !== 0) changes.add(kind, aor, 0, aorLength, out.state, at, out.now);
    }
    const ended = out.peers.listener[out.peer] === LISTENER_ADMIN ? CHANGE_REMOVED : CHANGE_UNREGISTERED;
    let written = bindings.recordAt;
    for (let i = 0; i < bindings.count; i++) {
      const image = bindings.imageAt[i];
      if (bindings.isGone(i)) {
        const kind = bindings.isEvicted(i) ? CHANGE_EVICTED : ended;
        if (image >= 0) changes.add(kind, aor, 0, aorLength, out.state, image, out.now);
        continue;
      }
      if (bindings.contact[i] >= 0) {
        const kind = image >= 0 ? CHANGE_REFRESHED : CHANGE_REGISTERED;
        changes.add(kind, aor, 0, aorLength, out.record.bytes, written, out.now);
      }
      written += imageLength(out.record.bytes, written);
    }
  }

  /** The answer to a request that an earlier life of the shard has carried out, or 0 where it is none (repeat.ts). */
  answerRepeat(out: Outbox): number {
    if (!out.mayRepeat || out.stateEnd <= out.stateAt) return GO_ON;
    this.bindings.load(out, this.policy.flowGraceS > 0);
    if (isRepeat(out, this.policy, this.bindings)) return this.step8Answer(out);
    out.expired = 0;
    out.cutOff = 0;
    return GO_ON;
  }

  /** The answer to a request that was carried out before: step 8 alone, on the bindings there are now. */
  answerAgain(out: Outbox): number {
    this.bindings.load(out, this.policy.flowGraceS > 0);
    return this.step8Answer(out);
  }

  /** Every binding goes, unless one of this Call-ID was made by a later request. */
  private step6Wildcard(out: Outbox): number {
    if (table[T_CONTACT_STAR] === 0) return GO_ON;
    const bindings = this.bindings;
    for (let i = 0; i < bindings.count; i++) {
      if (isOutOfOrder(out, bindings.imageAt[i])) return refuse(out, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
      bindings.remove(i);
      out.removed++;
    }
    return GO_ON;
  }

  /** Each contact in turn, those that stay first: refreshes, adds or removes a binding. All of them, or none. */
  private step7Contacts(out: Outbox): number {
    const count = table[T_CONTACT_COUNT];
    let refused = GO_ON;
    let leaving = 0;
    for (let i = 0, contact = T_CONTACTS; i < count && refused === GO_ON; i++, contact += CONTACT_INTS) {
      const seconds = requestedExpiresS(contact, this.policy);
      if (seconds === 0) leaving++;
      else refused = this.keepContact(out, contact, seconds);
    }
    for (let contact = T_CONTACTS; leaving > 0 && refused === GO_ON; contact += CONTACT_INTS) {
      if (requestedExpiresS(contact, this.policy) > 0) continue;
      leaving--;
      refused = this.removeContact(out, contact);
    }
    if (refused !== GO_ON) return refused;
    if (this.gruus !== null && hasInstances()) settleEpochs(out, this.bindings);
    return this.checkNumberOfBindings(out) || this.checkRoom(out);
  }

  private keepContact(out: Outbox, contact: number, seconds: number): number {
    const bindings = this.bindings;
    const binding = bindings.find(out, contact);
    const image = binding < 0 ? ABSENT : bindings.imageAt[binding];
    // A binding this request has made itself is settled in order; one from before obeys Call-ID and CSeq.
    if (binding >= 0 && bindings.contact[binding] < 0 && isOutOfOrder(out, image))
      return refuse(out, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
    const granted = grantedS(out, this.policy, seconds, lastGrantedS(out, image, seconds));
    const expiresAt = out.now + granted * 1000;
    out.grantedS = granted;
    if (binding >= 0) bindings.replace(binding, contact, expiresAt);
    else bindings.add(contact, expiresAt);
    if (image >= 0) out.refreshed++;
    else if (binding < 0) out.added++;
    return GO_ON;
  }

  /** An interval of zero names a binding of before, never one that this request makes: a phone that moves names its old contact. */
  private removeContact(out: Outbox, contact: number): number {
    const bindings = this.bindings;
    const binding = bindings.findOld(out, contact);
    if (binding < 0) return GO_ON;
    if (isOutOfOrder(out, bindings.imageAt[binding]))
      return refuse(out, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
    bindings.remove(binding);
    out.removed++;
    return GO_ON;
  }

  /** Counted on the net result, so that a phone may exchange its contacts for others. */
  private checkNumberOfBindings(out: Outbox): number {
    const bindings = this.bindings;
    const max = this.policy.contactsPerAorMax;
    if (bindings.live <= max || bindings.live <= bindings.loaded) return GO_ON;
    while (bindings.live > max && bindings.removeCutOff(out)) out.evicted++;
    if (bindings.live <= max) return GO_ON;
    if (this.policy.contactsOverflow === 'evict-oldest') {
      while (bindings.live > max && bindings.removeOldest(out)) out.evicted++;
      if (bindings.live <= max) return GO_ON;
    }
    return refuse(out, 403, TOO_MANY_BINDINGS, REASON_TOO_MANY_BINDINGS);
  }

  /** The domain has a limit, too. */
  private checkRoom(out: Outbox): number {
    const more = this.bindings.live - this.bindings.loaded;
    return more <= 0 || more <= out.room ? GO_ON : refuse(out, 403, DOMAIN_FULL, REASON_DOMAIN_FULL);
  }

  /** Writes the bindings as they are now, and the 200 that lists them all. */
  private step8Answer(out: Outbox): number {
    const bindings = this.bindings;
    out.bindingsBefore = bindings.loaded;
    out.bindingsAfter = bindings.live;
    out.changed = out.added + out.refreshed + out.removed > 0;
    if (out.changed) {
      writeRecord(out, bindings, this.asSent);
      this.answer(out, out.record.bytes, bindings.recordAt, out.record.at);
    } else this.answer(out, out.state, out.stateAt, out.stateEnd);
    return 200;
  }

  /** The 200, with the images in bytes[at, end) that have not run out. */
  private answer(out: Outbox, bytes: Uint8Array, at: number, end: number): void {
    startResponse(out, 200, PHRASE[200]);
    listContacts(out, bytes, at, end, supports(OPTION_GRUU) ? this.gruus : null);
    const { answer } = out;
    const { policy } = this;
    answer.advance(module.extensions(answer.at, shownExtensions(out, policy), shownFlowTimer(out, policy)));
    this.endAnswer(out);
  }

  /** The rows of the domain and of the login, and the end. */
  private endAnswer(out: Outbox): void {
    dateEnd(out.now);
    this.home.write(out);
    out.answerInfo?.write(out);
    out.answer.advance(module.end(out.answer.at));
  }
}

/** Made by a request of the same Call-ID that was not earlier than this one. Over a new connection a parked one may be taken up by it. */
function isOutOfOrder(out: Outbox, image: number): boolean {
  const later = (table[T_CSEQ] >>> 0) - cseqOf(out.state, image);
  if (later > 0 || !hasCallIdOfRequest(out.state, image)) return false;
  return later < 0 || !isCutOff(out.state, image, out.liveFlows);
}

/** The binding's nonce becomes the request's, with the highest nc that it was used with as far as the binding tells. */
function takeNonce(out: Outbox, binding: PlainBinding): void {
  const { nonceIdHigh, nonceIdLow } = out;
  const id = nonceIdOf(nonceIdHigh, nonceIdLow);
  const known = binding.nonceId === id ? binding.highestNc : -1;
  if (out.authenticated) out.highestNc = known > out.nc ? known : out.nc;
  binding.nonceId = out.authenticated ? id : 0;
  binding.highestNc = out.authenticated ? out.highestNc : 0;
}

/**
 * Kept bindings are copied, those of this request written anew, in the order in which they first came. All that were made
 * with the request's nonce name the highest nc it was used with: whichever of them goes, a restart forgets no use.
 */
function writeRecord(out: Outbox, bindings: WorkingBindings, asSent: Uint8Array): void {
  const w = out.record;
  const { nonceIdHigh, nonceIdLow } = out;
  if (out.authenticated) {
    const known = highestNc(out.state, out.stateAt, out.stateEnd, nonceIdHigh, nonceIdLow);
    out.highestNc = known > out.nc ? known : out.nc;
  }
  bindings.recordAt = w.at;
  for (let i = 0; i < bindings.count; i++) {
    const image = bindings.imageAt[i];
    const contact = bindings.contact[i];
    const at = w.at;
    if (contact >= 0) {
      const unchanged = asSent[(contact - T_CONTACTS) / CONTACT_INTS] === 1;
      writeImage(w, contact, out, image, bindings.expiresAt[i], unchanged);
      out.newImageAt = at;
    } else if (image >= 0 && !bindings.isGone(i)) {
      w.span(out.state, image, image + imageLength(out.state, image));
      if (out.authenticated && !w.overflow) raiseNc(w.bytes, at, nonceIdHigh, nonceIdLow, out.highestNc);
    }
    if (bindings.hasEpochs && bindings.epochSet[i] === 1 && !w.overflow) setEpoch(w.bytes, at, bindings.epoch[i]);
  }
}
