// Whether an answer is the right one: by the model, by what is known of faults, and by what was answered before.

import type { Request } from './phone.ts';
import { type Bound, decide, leastGranted, type Rules } from './registrations.ts';
import { areSame, textOf } from './stored.ts';

/** Copies within this time draw the same bytes. */
export const REMEMBERED_MS = 30_000;

/** The world at the moment. */
export interface Scene {
  readonly now: number;
  readonly logsIn: boolean;
  /** The batch's commit has failed. */
  readonly batchFailed: boolean;
  readonly report: { ok: number; refused: number; putOff: number; replays: number; logins: number };
  /** It may be put off: its user could not be told, or another shard's ring was full. */
  isPutOff(request: Request): boolean;
  /** Storm control may put it off. */
  mayBeTooMany(request: Request, bindings: readonly Bound[]): boolean;
  /** The shard has let it in, or put it off as one too many. */
  hasComeIn(request: Request, status: number, text: string, bindings: readonly Bound[]): void;
  /** A domain may have so many bindings: so many more are there. */
  hasAdded(request: Request, bindings: number): void;
  /** Nobody has told of its user yet. */
  isAway(n: number): boolean;
  /** Of the shard that owns the AOR: a number of this start. */
  lifeOf(n: number): number;
  rulesOf(request: Request): Rules;
  /** Damage, or a clock that was wrong, may have changed the AOR. */
  mayBeGone(n: number): boolean;
  /** Targets, and what sleeps. */
  live(bindings: readonly Bound[]): readonly Bound[];
  fail(what: string): never;
}

export class Answers {
  private readonly scene: Scene;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  /**
   * Returns what the AOR has then.
   * @param bindings of its AOR before @param isSick something could not be read
   */
  judge(request: Request, text: string, bindings: readonly Bound[], isSick: boolean): readonly Bound[] {
    const { phone } = request;
    const status = Number(text.slice(8, 11));
    const first = request.first ?? request;
    const life = this.scene.lifeOf(phone.n);
    if (first.life === life && first.answer !== '' && this.scene.now - first.sentAt < REMEMBERED_MS) {
      this.scene.report.replays++;
      const isPutOff = status === 503 && this.scene.isPutOff(request);
      if (first.answer !== text && status !== 401 && !isPutOff)
        this.scene.fail(`two answers to ${storyOf(request)}:\n${first.answer}\n${text}`);
      return bindings;
    }
    const isTooMany = status === 503 && this.scene.mayBeTooMany(request, bindings);
    // A removal that the disk refuses in the end, or an error of it that passes, may have hidden the record that names the nonce: who
    // comes again is let in.
    const isStale = status === 401 && text.includes('stale=true');
    const isHidden = isStale && (this.scene.batchFailed || this.scene.mayBeGone(phone.n));
    const isKept = !isHidden && !this.scene.isPutOff(request) && !isTooMany;
    first.answer = isKept ? text : '';
    first.sentAt = this.scene.now;
    first.life = life;
    if (status === 503 && this.scene.isPutOff(request)) {
      this.scene.report.putOff++;
      return bindings;
    }
    this.scene.hasComeIn(request, status, text, bindings);
    if (this.scene.logsIn && !request.isOrder && !request.isVouched) {
      if (status === 401) return this.challenged(request, text, bindings);
      if (request.login === '') this.scene.fail(`${status} without credentials: ${storyOf(request)}`);
      if (status < 300 && this.scene.isAway(phone.n)) this.scene.fail(`nobody knows the user: ${storyOf(request)}`);
      if (request.isReplay && status < 300) this.scene.fail(`an nc counted twice: ${storyOf(request)}`);
    }
    if (isTooMany) return bindings;
    this.scene.report.logins++;
    return this.judgeDecision(request, status, text, bindings, isSick);
  }

  private judgeDecision(
    request: Request,
    status: number,
    text: string,
    bindings: readonly Bound[],
    isSick: boolean,
  ): readonly Bound[] {
    const { phone } = request;
    if (this.scene.mayBeGone(phone.n)) {
      this.scene.hasAdded(request, Number.NaN);
      return bindings;
    }
    const live = this.scene.live(bindings);
    const rules = this.scene.rulesOf(request);
    const decision = request.isForeign ? { status: 403, next: live } : decide(request, live, rules, this.scene.now);
    if (status === 503) {
      this.scene.report.putOff++;
      if (!this.scene.batchFailed) this.scene.fail(`503, and nothing failed: ${storyOf(request)}`);
      return bindings;
    }
    if (status === 500 && (isSick || this.scene.batchFailed)) return bindings;
    const isSame = (one: Bound) => !one.isAsleep && one.callId === request.callId && one.cseq === request.cseq;
    if (decision.status === 500 && status === 200 && live.some(isSame)) {
      this.checkList(contactsOf(text), live, text); // another life has carried it out
      return bindings;
    }
    if (status !== decision.status) {
      if (status === 403 && Number.isNaN(rules.room)) return bindings; // it may be full
      if (this.scene.batchFailed && status >= 400) return bindings;
      this.scene.fail(`${status} instead of ${decision.status} to ${storyOf(request)}; there is ${textOf(live)}`);
    }
    if (status !== 200) {
      this.scene.report.refused++;
      return bindings;
    }
    this.scene.report.ok++;
    const listed = contactsOf(text);
    const next = decision.next.map((one) => (isMade(request, one) ? this.granted(request, one, listed) : one));
    this.checkList(listed, next, text);
    this.scene.hasAdded(request, next.length - live.length);
    if (this.scene.batchFailed && !areSame(next, live))
      this.scene.fail(`200 to what was not written: ${storyOf(request)}`);
    if (request.kind === 'bind' && !request.isOrder && !request.isVouched) phone.used = request.login;
    if (request.login !== '' && !request.isReplay) remember(phone.heard, request.login);
    return next;
  }

  private challenged({ phone, login, isReplay }: Request, text: string, bindings: readonly Bound[]): readonly Bound[] {
    const nonce = /nonce="([^"]*)"/.exec(text)?.[1];
    if (nonce === undefined) this.scene.fail(`no challenge:\n${text}`);
    if (!isReplay && (login === '' || login.includes(phone.nonce))) {
      phone.nonce = nonce;
      phone.nc = 0;
    }
    return bindings;
  }

  /** A binding as the 200 grants it. */
  private granted(request: Request, bound: Bound, listed: readonly string[]): Bound {
    const seconds = secondsOf(listed, bound.contact);
    const rules = this.scene.rulesOf(request);
    const most = Math.min(request.seconds, rules.maxS);
    if (seconds === undefined || seconds > most || seconds < leastGranted(request.seconds, rules, bound.device))
      this.scene.fail(`${seconds} s granted to ${storyOf(request)}, of ${listed.join(' ')}`);
    return { ...bound, expiresAt: this.scene.now + seconds * 1000 };
  }

  /** A 200 lists what there is, with the seconds it has left. */
  private checkList(listed: string[], bindings: readonly Bound[], text: string): void {
    const awake = bindings.filter(({ isAsleep }) => !isAsleep);
    const there = awake.map(
      ({ contact, expiresAt }) => `${contact}/${Math.max(1, Math.floor((expiresAt - this.scene.now) / 1000))}`,
    );
    if (listed.sort().join(' ') !== there.sort().join(' '))
      this.scene.fail(`listed is ${listed.join(' ')}, there is ${there.join(' ')}\n${text}`);
  }
}

/** The newest four. */
function remember(heard: string[], login: string): void {
  heard.push(login);
  if (heard.length > 4) heard.shift();
}

function isMade(request: Request, { contact, callId, cseq }: Bound): boolean {
  return (
    request.kind === 'bind' && request.contacts.includes(contact) && callId === request.callId && cseq === request.cseq
  );
}

export function storyOf({ kind, phone, callId, cseq, seconds, first, isReplay, isOrder, isVouched }: Request): string {
  return `${isOrder ? 'order ' : isVouched ? 'vouched ' : isReplay ? 'stolen ' : first ? 'again ' : ''}${kind} ${phone.contacts.join(' ')} ${callId} ${cseq} ${seconds} s`;
}

/** URI and seconds of each Contact of a 200. */
export function contactsOf(text: string): string[] {
  return [...text.matchAll(/^Contact: <([^>]*)>.*?;expires=(\d+)/gm)].map(([, uri, seconds]) => `${uri}/${seconds}`);
}

function secondsOf(listed: readonly string[], uri: string): number | undefined {
  const row = listed.find((one) => one.startsWith(`${uri}/`));
  return row === undefined ? undefined : Number(row.slice(uri.length + 1));
}
