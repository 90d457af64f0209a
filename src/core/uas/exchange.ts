// One request and its answer: what is asked (request), what is found out on the way (work), and what comes of it (result): an answer,
// a new record for the AOR, and what to count. One object per shard, used again for every request; no I/O here.
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

/** Seconds. */
const GRANT_WITHOUT_LIMIT = 0x7fff_ffff;

/** A row of a 200 that who sent the request is due. */
export interface AnswerInfo {
  write(exchange: Exchange): void;
}

/** Who asks, when, and what the location service holds. The request itself stands in the span table. */
export class ExchangeRequest {
  /** Epoch milliseconds; the same for the whole decision. */
  now = 0;
  /** When this life of the shard began to serve, by the clock of whoever served before; 0: not yet. */
  startedAt = 0;
  /** It is so young that copies of requests may come that the life before has carried out. */
  mayRepeat = false;
  peers: Peers = createPeers(1);
  /** Row of `peers` the request came from. */
  peer = 0;
  /** Images of the AOR's bindings: state[stateAt, stateEnd). */
  state: Uint8Array = new Uint8Array(0);
  stateAt = 0;
  stateEnd = 0;
  /** The AOR asked about, canonical ("user@host"; aorLength is -1 where there is none), and its key: four words. */
  aor: Uint8Array = new Uint8Array(0);
  aorLength = -1;
  aorKey: Uint32Array = new Uint32Array(4);
  /** 64 random-looking bits that are the same for every copy of this request: the To tag, and the jitter's dice. */
  tagHigh = 0;
  tagLow = 0;
  /** Which connections there are; null: none is held here. */
  liveFlows: FlowLiveness | null = null;
  /** Refusals say why in a Warning. */
  warns = false;
  /** Answers over UDP go to the port of the request whatever its Via says. */
  forcesRport = false;
  /** Bindings that the AOR's domain may have more than it has. */
  capacity = UNLIMITED;

  /** From the next request on. @cold */
  follow({ warning, forceRport }: Policy): void {
    this.warns = warning;
    this.forcesRport = forceRport;
  }
}

/** What the steps find out, for the steps after them. */
export class ExchangeWork {
  // --- who asks, where authentication is on (authenticator.ts); valid where `authenticated`
  authenticated = false;
  /** The digest's user name user[0, userLength), raw and unescaped; with `userIsHash` its userhash in hex. */
  user: Uint8Array = new Uint8Array(0);
  userLength = 0;
  userIsHash = false;
  /** Rules for the user alone (DomainPolicy as JSON); '': none. */
  userRules = '';
  /** A binding may last so many seconds at most: to the end of the token that let its request in. */
  grantMaxS = GRANT_WITHOUT_LIMIT;
  /** Null where there is none. */
  answerInfo: AnswerInfo | null = null;
  /** Seconds that the request's last contact was granted. */
  grantedS = 0;
  /** Push services that the 200 names: their bits (push-services.ts). */
  pushServices = 0;
  /** Aorta takes on to wake the devices of the request's contacts. */
  wakes = false;
  /** They wake by themselves, too, to refresh (RFC 8599 §8.5). */
  wakesByItself = false;
  /** The nonce used: 64 bits that name it, and the nc it was used with. */
  nonceIdHigh = 0;
  nonceIdLow = 0;
  nc = 0;
  /** Of a SUBSCRIBE: its sender may be told what names the AOR's devices at their push services (RFC 8599 §13). */
  seesDevices = false;
  /** Its credentials were used in another life of the shard: good for nothing but a repetition of what they did there. */
  repeatsOnly = false;
  /** The highest nc it was used with, as far as the AOR's record and this request tell. */
  highestNc = 0;

  // --- the way the request came (path.ts, outbound.ts)
  /** Which bindings live by their connection: the policy's. */
  connectionBindings: Policy['connectionBindings'] = 'auto';
  /** The request came straight from the user agent (RFC 5626 §6). */
  direct = false;
  /** It came through an edge proxy that keeps flows: a URI of its Path has `ob`. */
  edgeOb = false;
  /** Every URI of its Path is a sips one, or it has none. */
  pathIsSecure = true;
  /** Its reg-ids count: the first hop is ours, or an edge proxy whose Path has `ob`. */
  flows = false;

  reset(): void {
    this.authenticated = false;
    this.repeatsOnly = false;
    this.userLength = 0;
    this.userRules = '';
    this.grantMaxS = GRANT_WITHOUT_LIMIT;
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
  /** The answer, in the module's memory; empty (at === from) where none is to be sent. */
  readonly answer = new Writer();
  /** A longer one is not sent: over UDP a stranger's address may be another's, on whom no more is sent than three times the request. */
  answerBytesMax = 0x7fff_ffff;
  /** Status of the answer, 0 where there is none. */
  status = 0;
  /** Why it is a refusal: a REASON_*. */
  reason = REASON_UNSPECIFIED;
  /** Images of the AOR's bindings after the request; valid where `changed`. */
  readonly record = new Writer();
  /** Where in the record the image stands that the module's memory holds, too; negative: nowhere. */
  newImageAt = -1;
  changed = false;
  /** Bindings the AOR has after the request, and had before it (expired ones not counted). */
  bindingsAfter = 0;
  bindingsBefore = 0;
  /** What the request did to bindings. */
  added = 0;
  refreshed = 0;
  removed = 0;
  evicted = 0;
  expired = 0;
  /** Bindings that it found cut off, and left out. */
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

/** As the core sees it. */
export interface Exchange {
  readonly request: Readonly<ExchangeRequest>;
  readonly work: ExchangeWork;
  readonly result: ExchangeResult;
}

/** As the shard sees it, which fills the request and performs the result. */
export class ShardExchange implements Exchange {
  readonly request = new ExchangeRequest();
  readonly work = new ExchangeWork();
  readonly result = new ExchangeResult();

  /** A batch begins. @param timerJMs how long copies of a request may come */
  beginBatch(now: number, timerJMs: number): void {
    const { request } = this;
    if (request.startedAt === 0) request.startedAt = now;
    request.mayRepeat = now - request.startedAt <= timerJMs;
  }

  /** A request begins. */
  reset(): void {
    this.work.reset();
    this.result.reset();
  }
}
