// One request and its answer: the inputs (request), the intermediate findings (work), and the outputs (result): an answer,
// a new record for the AOR, and counts. One object per shard, reused for every request; no I/O.
// @hot

import { createPeers, type Peers } from '../../sip/sources.ts';
import { Writer } from '../../sip/writer.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import { ANSWER, ANSWER_BYTES_MAX } from '../wasm/module-memory.ts';
import { moduleBytes } from '../wasm/request-module.ts';
import type { Policy } from './policy.ts';
import { REASON_UNSPECIFIED } from './reasons.ts';

/** Bindings that a domain without a quota may have. */
export const UNLIMITED = 0x7fff_ffff;

/** Limit of an interval, in seconds, for requests without a limit. */
const GRANT_WITHOUT_LIMIT = 0x7fff_ffff;

/** A header row of a 200 for the authenticated sender. */
export interface AnswerInfo {
  write(exchange: Exchange): void;
}

/** The sender, the time and the location service's bindings. The request itself is in the span table. */
export class ExchangeRequest {
  /** Epoch milliseconds; the same for the whole decision. */
  now = 0;
  /** Start of this life of the shard, by the clock of the process that served before; 0: not yet. */
  startedAt = 0;
  /** How far the clock of the life before may have been from this one's, ms: above 0 where it was another node's. */
  clocksDifferMs = 0;
  /** The life is so young that copies of requests may come that the life before carried out. */
  mayRepeat = false;
  peers: Peers = createPeers(1);
  /** Row of `peers` for the request's source. */
  peer = 0;
  /** Images of the AOR's bindings: state[stateAt, stateEnd). */
  state: Uint8Array = new Uint8Array(0);
  stateAt = 0;
  stateEnd = 0;
  /** The requested AOR, canonical ("user@host"; aorLength is -1 where there is none), and its key: four words. */
  aor: Uint8Array = new Uint8Array(0);
  aorLength = -1;
  aorKey: Uint32Array = new Uint32Array(4);
  /** 64 random-looking bits that are the same for every copy of this request: the To tag, and the random part of jitter. */
  tagHigh = 0;
  tagLow = 0;
  /** Open connections; null: this process holds none. */
  liveFlows: FlowLiveness | null = null;
  /** Refusals have a Warning with the reason. */
  warns = false;
  /** Answers over UDP are sent to the port of the request, whatever its Via. */
  forcesRport = false;
  /** Number of bindings that the AOR's domain may add. */
  capacity = UNLIMITED;

  /** Sets the policy's switches, from the next request on. @cold */
  follow({ warning, forceRport }: Policy): void {
    this.warns = warning;
    this.forcesRport = forceRport;
  }
}

/** Findings of the steps, for later steps. */
export class ExchangeWork {
  // --- the sender, where authentication is on (authenticator.ts); valid where `authenticated`
  authenticated = false;
  /** The digest's user name user[0, userLength), raw and unescaped; with `userIsHash` its userhash in hex. */
  user: Uint8Array = new Uint8Array(0);
  userLength = 0;
  userIsHash = false;
  /** Rules of this user (DomainPolicy as JSON); '': none. */
  userRules = '';
  /** Maximum seconds of a binding: to the end of the token that let its request in. */
  grantMaxS = GRANT_WITHOUT_LIMIT;
  /** Granted intervals are not shortened below it: a device that Aorta wakes is woken so long before its binding's end. Seconds. */
  grantMinS = 0;
  /** Null where there is none. */
  answerInfo: AnswerInfo | null = null;
  /** Seconds that the request's last contact was granted. */
  grantedS = 0;
  /** Push services that the 200 names: their bits (push-services.ts). */
  pushServices = 0;
  /** Aorta wakes the devices of the request's contacts. */
  wakes = false;
  /** They also wake without a push, to refresh (RFC 8599 §8.5). */
  wakesByItself = false;
  /** The nonce used: 64 bits that name it, and its nc. */
  nonceIdHigh = 0;
  nonceIdLow = 0;
  nc = 0;
  /** Of a SUBSCRIBE: its sender may see the parameters that name the AOR's devices at their push services (RFC 8599 §13). */
  seesDevices = false;
  /** Its credentials were used in another life of the shard: they allow only a repeat of the same request. */
  repeatsOnly = false;
  /** The highest nc of the nonce, as far as the AOR's record and this request tell. */
  highestNc = 0;

  // --- the request's way (path.ts, outbound.ts)
  /** Rule for bindings that end with their connection: the policy's. */
  connectionBindings: Policy['connectionBindings'] = 'auto';
  /** The request came straight from the user agent (RFC 5626 §6). */
  direct = false;
  /** It came through an edge proxy that keeps flows: a URI of its Path has `ob`. */
  edgeOb = false;
  /** Every URI of its Path is a sips one, or it has none. */
  pathIsSecure = true;
  /** Its reg-ids count: its first hop is Aorta, or an edge proxy whose Path has `ob`. */
  flows = false;

  reset(): void {
    this.authenticated = false;
    this.repeatsOnly = false;
    this.userLength = 0;
    this.userRules = '';
    this.grantMaxS = GRANT_WITHOUT_LIMIT;
    this.grantMinS = 0;
    this.answerInfo = null;
    this.grantedS = 0;
    this.pushServices = 0;
    this.wakes = false;
    this.wakesByItself = false;
    this.direct = false;
    this.flows = false;
  }
}

export class ExchangeResult {
  /** The answer, in the module's memory; empty (at === from) for no answer. */
  readonly answer = new Writer();
  /** Longer answers are not sent: over UDP the source address may be forged, so an answer is at most three times the request. */
  answerBytesMax = 0x7fff_ffff;
  /** Status of the answer, 0 where there is none. */
  status = 0;
  /** Reason of a refusal: a REASON_*. */
  reason = REASON_UNSPECIFIED;
  /** Images of the AOR's bindings after the request; valid where `changed`. */
  readonly record = new Writer();
  /** Offset in the record of the image that the module's memory holds, too; negative: none. */
  newImageAt = -1;
  changed = false;
  /** Bindings of the AOR after the request, and before it (expired ones not counted). */
  bindingsAfter = 0;
  bindingsBefore = 0;
  /** Changes of bindings, by kind. */
  added = 0;
  refreshed = 0;
  removed = 0;
  evicted = 0;
  expired = 0;
  /** Bindings whose connection had closed, and that were left out. */
  cutOff = 0;

  reset(): void {
    this.answer.start(moduleBytes, ANSWER, ANSWER + ANSWER_BYTES_MAX);
    this.newImageAt = -1;
    this.status = 0;
    this.reason = REASON_UNSPECIFIED;
    this.changed = false;
    this.bindingsAfter = 0;
    this.bindingsBefore = 0;
    this.added = 0;
    this.refreshed = 0;
    this.removed = 0;
    this.evicted = 0;
    this.expired = 0;
    this.cutOff = 0;
  }
}

/** In the core's view. */
export interface Exchange {
  readonly request: Readonly<ExchangeRequest>;
  readonly work: ExchangeWork;
  readonly result: ExchangeResult;
}

/** In the shard's view: it fills the request and carries out the result. */
export class ShardExchange implements Exchange {
  readonly request = new ExchangeRequest();
  readonly work = new ExchangeWork();
  readonly result = new ExchangeResult();

  /** Begins a batch. @param timerJMs time for which copies of a request may come */
  beginBatch(now: number, timerJMs: number): void {
    const { request } = this;
    if (request.startedAt === 0) request.startedAt = now;
    request.mayRepeat = now - request.startedAt <= timerJMs;
  }

  /** Begins a request. */
  reset(): void {
    this.work.reset();
    this.result.reset();
  }
}
