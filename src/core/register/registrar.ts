// The registrar: RFC 3261 §10.3, one function per step, in the RFC's order. A pure function of the request in the span
// table, the AOR's bindings and the time; its only output is the exchange's result. No I/O, no clock, no randomness.
// Each step returns 0 to continue, or the status of the answer it has written, which ends the request without a change.
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
import { cseqOf, hasCallIdOfRequest, imageLength, setEpoch } from '../binding/binding.ts';
import type { Identity } from '../binding/identity.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import { isParked } from '../binding/sleep.ts';
import type { Exchange, ExchangeRequest } from '../uas/exchange.ts';
import { CSEQ_OUT_OF_ORDER, DOMAIN_FULL, PHRASE, TOO_MANY_BINDINGS } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_CSEQ_OUT_OF_ORDER, REASON_DOMAIN_FULL, REASON_TOO_MANY_BINDINGS } from '../uas/reasons.ts';
import { refuse, startResponse } from '../uas/response.ts';
import { dateEnd } from '../wasm/answer-texts.ts';
import { IMAGE, SHOWS_END } from '../wasm/module-memory.ts';
import { moduleBytes, requestModule } from '../wasm/request-module.ts';
import { copyImage } from './binding-writer.ts';
import { BulkRules } from './bulk-rules.ts';
import { grantedS, lastGrantedS, requestedExpiresS } from './contact/contact-expires.ts';
import { listContacts } from './contact/contact-list.ts';
import { checkSpellings } from './contact/spelling-rules.ts';
import { DomainHeaders } from './domain-headers.ts';
import { shownExtensions, shownFlowTimer } from './extensions.ts';
import { Gruus } from './gruu.ts';
import { hasInstances, settleEpochs } from './gruu-rules.ts';
import { supports } from './path.ts';
import { renewNonce, writeRecord } from './record-writer.ts';
import { mayRefresh, refreshBinding } from './refresh.ts';
import { isRepeat } from './repeat.ts';
import { RequestRules } from './request-rules.ts';
import { WorkingBindings } from './working-bindings.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const module = requestModule;

const GO_ON = 0;

export class Registrar {
  private readonly policy: Policy;
  private readonly rules: RequestRules;
  private readonly gruus: Gruus | null;
  private readonly domainHeaders: DomainHeaders;
  readonly bulk: BulkRules;
  /** Of the request decided last. */
  readonly bindings: WorkingBindings;
  /** By contact of the request: 1 where it is written as it was sent. */
  private readonly asSent = new Uint8Array(CONTACTS_MAX);

  /**
   * @param secret 32 bytes: keys of temporary GRUUs
   * @param like another of the same server: registrars with the same answers share their prepared parts, so that requests for
   * different ones in turn cost no more than those for one
   */
  constructor(policy: Policy, secret: Uint8Array, like: Registrar | null = null) {
    this.policy = policy;
    const shares = like !== null && policy.gruu === like.policy.gruu;
    this.gruus = shares ? like.gruus : policy.gruu === 'on' ? new Gruus(secret, policy.gruuGeneration) : null;
    this.domainHeaders = DomainHeaders.of(policy, like?.domainHeaders ?? null);
    this.bulk = new BulkRules(policy, secret, like?.bulk ?? null);
    this.rules = new RequestRules(policy, this.gruus, this.bulk, like?.rules ?? null);
    this.bindings = new WorkingBindings(policy);
  }

  /** Checks that need no bindings: the AOR and the contacts (request-rules.ts). */
  checkRequest(exchange: Exchange): number {
    return this.rules.check(exchange);
  }

  /** Steps 6 to 8, on the bindings in the exchange's request. */
  apply(exchange: Exchange): number {
    this.bindings.load(exchange);
    const refused =
      this.step6Wildcard(exchange) ||
      checkSpellings(exchange, this.policy, this.asSent) ||
      this.step7Contacts(exchange);
    if (refused !== GO_ON) return refused;
    return this.step8Answer(exchange);
  }

  /**
   * Steps 6 to 8 for a request that only prolongs the AOR's only binding: decided and answered from the
   * request and that binding, which is changed. GO_ON for other requests; then nothing has changed.
   * @param keepsImage whether the binding's image is copied into the exchange's record
   */
  refresh(exchange: Exchange, binding: PlainBinding, identity: Identity, keepsImage: boolean): number {
    const { request, work, result } = exchange;
    const { gruus, policy } = this;
    if (this.bulk.areAskedFor) return GO_ON;
    if (!mayRefresh(binding, request.now) || (binding.epoch === 0 && gruus !== null && hasInstances())) return GO_ON;
    const seconds = requestedExpiresS(T_CONTACTS, policy);
    if (seconds === 0) return GO_ON;
    const granted = grantedS(exchange, policy, seconds, binding.grantedS);
    const isPlain = this.domainHeaders.isEmpty && work.answerInfo === null && work.pushServices === 0;
    const shows = shownExtensions(work, policy) | (isPlain ? SHOWS_END : 0);
    const flowTimer = shownFlowTimer(work, policy);
    work.grantedS = granted;
    if (!refreshBinding(exchange, binding, identity, gruus, granted, shows, flowTimer)) return GO_ON;
    if (!isPlain) this.endAnswer(exchange);
    binding.expiresAt = request.now + granted * 1000;
    binding.grantedS = granted;
    binding.cseq = table[T_CSEQ] >>> 0;
    renewNonce(work, binding);
    result.refreshed = 1;
    result.bindingsBefore = 1;
    result.bindingsAfter = 1;
    result.changed = true;
    if (!keepsImage) return 200;
    const { record } = result;
    copyImage(record, imageLength(moduleBytes, IMAGE));
    if (!record.overflow) setEpoch(record.bytes, record.from, binding.epoch);
    return 200;
  }

  /** The answer to a request that an earlier life of the shard has carried out, or 0 for other requests (repeat.ts). */
  answerRepeat(exchange: Exchange): number {
    const { request, result } = exchange;
    if (!request.mayRepeat || request.stateEnd <= request.stateAt) return GO_ON;
    this.bindings.load(exchange);
    if (isRepeat(exchange, this.policy, this.bindings)) return this.step8Answer(exchange);
    result.expired = 0;
    result.cutOff = 0;
    return GO_ON;
  }

  /** The answer to a request that was carried out before: step 8 alone, on the current bindings. */
  answerAgain(exchange: Exchange): number {
    this.bindings.load(exchange);
    return this.step8Answer(exchange);
  }

  /** Removes every binding, unless one of this Call-ID was made by a later request. */
  private step6Wildcard(exchange: Exchange): number {
    if (table[T_CONTACT_STAR] === 0) return GO_ON;
    const bindings = this.bindings;
    for (let i = 0; i < bindings.count; i++) {
      if (isOutOfOrder(exchange.request, bindings.imageAt[i]))
        return refuse(exchange, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
      bindings.remove(i);
      exchange.result.removed++;
    }
    return GO_ON;
  }

  /** Each contact in turn, those that stay first: refreshes, adds or removes a binding. All or none of the changes are made. */
  private step7Contacts(exchange: Exchange): number {
    const count = table[T_CONTACT_COUNT];
    let refused = GO_ON;
    let leaving = 0;
    for (let i = 0, contact = T_CONTACTS; i < count && refused === GO_ON; i++, contact += CONTACT_INTS) {
      const seconds = requestedExpiresS(contact, this.policy);
      if (seconds === 0) leaving++;
      else refused = this.keepContact(exchange, contact, seconds);
    }
    for (let contact = T_CONTACTS; leaving > 0 && refused === GO_ON; contact += CONTACT_INTS) {
      if (requestedExpiresS(contact, this.policy) > 0) continue;
      leaving--;
      refused = this.removeContact(exchange, contact);
    }
    if (refused !== GO_ON) return refused;
    if (exchange.work.wakes) this.takeUpDevices(exchange);
    if (this.gruus !== null && hasInstances()) settleEpochs(exchange, this.bindings);
    return this.checkNumberOfBindings(exchange) || this.checkCapacity(exchange);
  }

  private keepContact(exchange: Exchange, contact: number, seconds: number): number {
    const { request, result } = exchange;
    const bindings = this.bindings;
    const binding = bindings.find(exchange, contact);
    const image = binding < 0 ? ABSENT : bindings.imageAt[binding];
    // A binding that this request has made itself may be replaced; one from before obeys Call-ID and CSeq.
    if (binding >= 0 && bindings.contact[binding] < 0 && isOutOfOrder(request, image))
      return refuse(exchange, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
    const granted = grantedS(exchange, this.policy, seconds, lastGrantedS(request, image, seconds));
    const expiresAt = request.now + granted * 1000;
    exchange.work.grantedS = granted;
    if (binding >= 0) bindings.replace(binding, contact, expiresAt);
    else bindings.add(contact, expiresAt);
    if (image >= 0) result.refreshed++;
    else if (binding < 0) result.added++;
    return GO_ON;
  }

  /** After all contacts: a sleeping binding whose URI a contact names has obeyed Call-ID and CSeq by then. */
  private takeUpDevices(exchange: Exchange): void {
    const end = T_CONTACTS + table[T_CONTACT_COUNT] * CONTACT_INTS;
    for (let contact = T_CONTACTS; contact < end; contact += CONTACT_INTS)
      if (requestedExpiresS(contact, this.policy) > 0) this.bindings.takeUpDevice(exchange, contact);
  }

  /** An interval of zero names a binding from before, never one that this request makes: a phone that moves names its old contact. */
  private removeContact(exchange: Exchange, contact: number): number {
    const bindings = this.bindings;
    const binding = bindings.findOld(exchange, contact);
    if (binding < 0) return GO_ON;
    if (isOutOfOrder(exchange.request, bindings.imageAt[binding]))
      return refuse(exchange, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
    bindings.remove(binding);
    exchange.result.removed++;
    return GO_ON;
  }

  /** Counts the bindings after the request, so that a phone may replace its contacts. */
  private checkNumberOfBindings(exchange: Exchange): number {
    const { request, result } = exchange;
    const bindings = this.bindings;
    const max = this.policy.contactsPerAorMax;
    if (bindings.live <= max || bindings.live <= bindings.loaded) return GO_ON;
    while (bindings.live > max && bindings.removeParked(request)) result.evicted++;
    if (bindings.live <= max) return GO_ON;
    if (this.policy.contactsOverflow === 'evict-oldest') {
      while (bindings.live > max && bindings.removeOldest(request)) result.evicted++;
      if (bindings.live <= max) return GO_ON;
    }
    return refuse(exchange, 403, TOO_MANY_BINDINGS, REASON_TOO_MANY_BINDINGS);
  }

  /** Checks the limit of the domain. */
  private checkCapacity(exchange: Exchange): number {
    const more = this.bindings.live - this.bindings.loaded;
    if (more <= 0 || more <= exchange.request.capacity) return GO_ON;
    return refuse(exchange, 403, DOMAIN_FULL, REASON_DOMAIN_FULL);
  }

  /** Writes the new bindings, and the 200 that lists them all. */
  private step8Answer(exchange: Exchange): number {
    const { request, result } = exchange;
    const bindings = this.bindings;
    result.bindingsBefore = bindings.loaded;
    result.bindingsAfter = bindings.live;
    result.changed = result.added + result.refreshed + result.removed > 0;
    if (result.changed) {
      writeRecord(exchange, bindings, this.asSent);
      this.answer(exchange, result.record.bytes, bindings.recordAt, result.record.at);
    } else this.answer(exchange, request.state, request.stateAt, request.stateEnd);
    return 200;
  }

  /** Writes the 200, with the targets among the images in bytes[at, end). */
  private answer(exchange: Exchange, bytes: Uint8Array, at: number, end: number): void {
    startResponse(exchange, 200, PHRASE[200]);
    listContacts(exchange, bytes, at, end, supports(OPTION_GRUU) ? this.gruus : null, this.bulk.served);
    const { work, result } = exchange;
    const { answer } = result;
    const { policy } = this;
    answer.advance(module.extensions(answer.at, shownExtensions(work, policy), shownFlowTimer(work, policy)));
    if (this.bulk.areAskedFor) this.bulk.writeRows(answer);
    this.endAnswer(exchange);
  }

  /** Writes the rows of the domain, of push services and of the login, and the answer's end. */
  private endAnswer(exchange: Exchange): void {
    const { request, work } = exchange;
    const { answer } = exchange.result;
    dateEnd(request.now);
    this.domainHeaders.write(answer, request.aor, request.aorLength);
    if (work.pushServices !== 0) this.rules.push?.write(answer, work.pushServices, work.wakesByItself);
    work.answerInfo?.write(exchange);
    answer.advance(module.end(answer.at));
  }
}

/** Whether a request of the same Call-ID and no lower CSeq made the binding. The same CSeq may take up a parked one, over a new connection. */
function isOutOfOrder({ state, now, liveFlows }: Readonly<ExchangeRequest>, image: number): boolean {
  const later = (table[T_CSEQ] >>> 0) - cseqOf(state, image);
  if (later > 0 || !hasCallIdOfRequest(state, image)) return false;
  return later < 0 || !isParked(state, image, now, liveFlows);
}
