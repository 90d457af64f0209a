// Who comes to a registrar beside its phones: callers that look users up, with ACKs, CANCELs and copies; keep-alives, scanners, and who
// guesses passwords. What each of them must draw, by the model's bindings.

import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { createAorReader } from '../../../src/core/lookup/aor-key.ts';
import type { LookupPolicy } from '../../../src/core/uas/lookup-policy.ts';
import type { GateOptions } from '../../../src/shard/gate.ts';
import { StaticTable } from '../../../src/shard/statics/static-table.ts';
import type { Random } from '../shards/random.ts';
import { REMEMBERED_MS } from './answers.ts';
import { CallLetters, type Letter } from './call-letters.ts';
import { Guesses } from './guesses.ts';
import { SECRET } from './machine.ts';
import type { Phone } from './phone.ts';
import type { Bound } from './registrations.ts';

/** Copies and CANCELs find their INVITE within this time, and surely do not behind it. */
const FORGOTTEN_MS = 40_000;
/** Timer H. */
const GIVEN_UP_MS = 32_000;
const PROXIES = [110, 111, 112, 113];
const STRANGERS = [100, 101];
/** It speaks for the users in From. */
export const VOUCHING_PROXY = 115;
const ALIAS = 'desk';
const DESK = 'sip:desk@10.9.9.9';

export interface Call extends Letter {
  /** By a proxy that may look users up. */
  readonly isTrusted: boolean;
  /** Of an INVITE and its copies, ACK and CANCEL. */
  readonly thread: Thread;
}

/** One INVITE, or another request, with what came of it. */
interface Thread {
  answer: string;
  answeredAt: number;
  /** The life of the AOR's shard in which it was answered. */
  life: number;
  /** When something of it was sent last: ACK and CANCEL come with nothing else of it. */
  sentAt: number;
  /** It has a transaction: copies draw the same bytes. */
  isKept: boolean;
  /** A commit has failed on which the answer hung: it is 503, and nobody sends anything of it again but what waits. */
  hasFailed: boolean;
  isAcknowledged: boolean;
}

/** The world, as callers see it. */
export interface Called {
  readonly random: Random;
  readonly now: number;
  readonly logsIn: boolean;
  readonly batchFailed: boolean;
  readonly phones: readonly Phone[];
  readonly report: { calls: number; redirects: number; resent: number; guesses: number; silences: number };
  lifeOf(n: number): number;
  isAway(n: number): boolean;
  /** Of a shard. */
  startOf(shard: number): number;
  mayBeGone(n: number): boolean;
  /** Targets, and what sleeps. */
  live(bindings: readonly Bound[]): readonly Bound[];
  /** An AOR of which something sleeps, or null. */
  drawAsleep(): number | null;
  /** Devices that a lookup of these, of all those, wakes. */
  devicesOf(asked: readonly Bound[], all: readonly Bound[]): readonly string[];
  fail(what: string): never;
}

export class Calls {
  /** For all shards. */
  readonly gate: GateOptions = {
    policy: {
      ...DEFAULT_ABUSE_POLICY,
      unlimited: ['10.0.0.0/25'],
      ...{ failuresMax: 2, failuresPerS: 0.0005, aorFailuresMax: 1, aorFailuresPerS: 0.0005 },
      ...{ sourcesMax: 64, flowsMax: 64, aorsMax: 64 },
    },
    trustedProxies: [`10.0.0.${VOUCHING_PROXY}`],
  };
  readonly statics: StaticTable;
  readonly guesses: Guesses;
  lookup: LookupPolicy;
  private readonly world: Called;
  private readonly letters = new CallLetters();
  /** Of late, over UDP: what may be sent again, acknowledged or cancelled. */
  private readonly recent: Call[] = [];
  /** By Call-ID. */
  private readonly threads = new Map<string, Thread>();

  constructor(world: Called) {
    this.world = world;
    this.lookup = this.drawLookup();
    this.guesses = new Guesses(world, this.gate.policy);
    this.statics = new StaticTable({
      data: null,
      aor: createAorReader(SECRET),
      failed: (problem) => world.fail(problem),
    });
    this.statics.set({
      bindings: { 'u0@example.com': [{ uri: DESK }] },
      aliases: { [`${ALIAS}@example.com`]: 'u1@example.com' },
    });
  }

  /** A reload. */
  drawLookup(): LookupPolicy {
    const sip = this.world.random.pick(['trusted', 'trusted', 'anyone', 'authenticated', 'off'] as const);
    this.lookup = { sip, from: PROXIES.map((host) => `10.0.0.${host}`) };
    return this.lookup;
  }

  draw(aors: number): Letter {
    const { random, report, logsIn } = this.world;
    const dice = random.next();
    report.calls++;
    if (dice < 0.06) return this.letters.keepAlive(random.pick(['crlf', 'stun'] as const));
    if (dice < 0.35 && logsIn) return this.guesses.draw(random.between(0, aors - 1));
    if (dice < 0.6) {
      const again = this.drawAgain();
      if (again !== null) return again;
    }
    return this.drawLookupOf(this.world.drawAsleep() ?? random.between(0, aors - 1));
  }

  private drawLookupOf(n: number): Call {
    const { world } = this;
    const { random, phones } = world;
    const isTrusted = random.chance(0.7);
    const kind = random.chance(0.7) ? 'INVITE' : 'OPTIONS';
    const isAlias = n === 1 && random.chance(0.3) && this.isLookup(kind, isTrusted);
    const phone = random.pick(phones.filter((one) => one.n === n));
    const isOfDevice = !isAlias && phone.isStream && random.chance(0.3);
    const thread: Thread = {
      answer: '',
      answeredAt: 0,
      life: 0,
      sentAt: world.now,
      isKept: false,
      hasFailed: false,
      isAcknowledged: false,
    };
    const letter = this.letters.request(kind, {
      n,
      user: isAlias ? ALIAS : `u${n}`,
      device: isOfDevice ? phone : null,
      host: random.pick(isTrusted ? PROXIES : STRANGERS),
      isStream: random.chance(0.15),
    });
    const call: Call = { ...letter, isTrusted, thread };
    this.threads.set(call.id, thread);
    if (call.flow === 0) this.recent.push(call);
    if (this.recent.length > 6) this.threads.delete(this.recent.shift()?.id ?? '');
    return call;
  }

  /** A copy, an ACK or a CANCEL of something that was sent over UDP. */
  private drawAgain(): Call | null {
    const { random, now } = this.world;
    const calls = this.recent.filter(({ thread }) => {
      const age = now - thread.answeredAt;
      return thread.answer !== '' && !thread.hasFailed && (age < REMEMBERED_MS || age > FORGOTTEN_MS);
    });
    if (calls.length === 0) return null;
    const call = random.pick(calls);
    const { thread } = call;
    const isAlone = call.kind === 'INVITE' && thread.sentAt !== now;
    const kind = isAlone ? random.pick(['ACK', 'ACK', 'CANCEL', 'copy'] as const) : 'copy';
    thread.sentAt = now;
    return kind === 'copy' ? { ...call } : { ...call, ...this.letters.about(call, kind, call.thread.answer) };
  }

  /** @param bindings of its AOR before it, those of its batch among them @param shard that has received it */
  judge(letter: Letter, text: string | undefined, bindings: readonly Bound[], isSick: boolean, shard: number): void {
    const { world } = this;
    if (letter.kind === 'guess') return this.guesses.judge(letter, text, shard);
    if (letter.kind === 'crlf' || letter.kind === 'scanner') {
      if (text !== undefined) world.fail(`an answer to a ${letter.kind}:\n${text}`);
      return;
    }
    if (letter.kind === 'stun') return this.judgeStun(letter, text);
    const call = letter as Call;
    if (call.kind === 'ACK') return this.acknowledged(call, text);
    if (text === undefined) {
      if (call.thread.isKept && call.thread.answeredAt === world.now) return; // it found the first of the same batch in progress
      return world.fail(`no answer to ${storyOf(call)}`);
    }
    if (call.kind === 'CANCEL') return this.judgeCancel(call, text);
    const { thread } = call;
    const life = world.lifeOf(call.n);
    if (this.isKnown(call)) {
      if (text !== thread.answer) world.fail(`two answers to ${storyOf(call)}:\n${thread.answer}\n${text}`);
      return;
    }
    this.judgeLookup(call, text, bindings, isSick);
    thread.answer = text;
    thread.hasFailed = world.batchFailed && text.startsWith('SIP/2.0 503');
    thread.answeredAt = world.now;
    thread.life = life;
    thread.isKept = call.flow === 0 && call.isTrusted && this.isLookup(call.kind, true);
    thread.isAcknowledged = false;
  }

  /** Whether it has been answered of late, in a transaction. */
  private isKnown({ n, thread }: Call): boolean {
    const { now } = this.world;
    const isOfNow = thread.life === this.world.lifeOf(n) && now - thread.answeredAt < REMEMBERED_MS;
    return thread.isKept && thread.answer !== '' && isOfNow;
  }

  private isLookup(kind: string, isTrusted: boolean): boolean {
    const { sip } = this.lookup;
    return sip !== 'off' && (kind === 'INVITE' || sip !== 'trusted' || isTrusted);
  }

  /** Nobody knows any more what is sent again, and what it draws: a reload, or a clock that was set back. */
  forget(): void {
    this.recent.length = 0;
    this.threads.clear();
    this.guesses.forget();
  }

  private judgeLookup(call: Call, text: string, bindings: readonly Bound[], isSick: boolean): void {
    const { world } = this;
    const status = Number(text.slice(8, 11));
    if (world.mayBeGone(call.n) || (isSick && status === 500)) return;
    if (world.batchFailed && status === 503) return;
    const [expected, targets] = this.expected(call, world.live(bindings));
    if (status !== expected) {
      const isTooLong = expected === 302 && !call.isTrusted && call.flow === 0 && status >= 400;
      if (!isTooLong) world.fail(`${status} instead of ${expected} to ${storyOf(call)}; there is ${targets.join(' ')}`);
      return;
    }
    if (status !== 302) return;
    world.report.redirects++;
    const listed = [...text.matchAll(/^Contact: <([^>]*)>.*$/gm)].map(
      ([row, uri]) => `${uri}/${/;expires=(\d+)/.exec(row)?.[1] ?? 0}`,
    );
    // Who is not known gets no more bytes than three times his own.
    const isWhole = call.isTrusted || call.flow !== 0;
    const isRight = isWhole
      ? listed.sort().join(' ') === targets.sort().join(' ')
      : listed.length > 0 && listed.every((one) => targets.includes(one));
    if (!isRight) world.fail(`${storyOf(call)}: listed is ${listed.join(' ')}, there is ${targets.join(' ')}\n${text}`);
  }

  /** Status, and what a 302 lists. */
  private expected(call: Call, live: readonly Bound[]): [number, string[]] {
    const { logsIn, now } = this.world;
    const { sip } = this.lookup;
    const left = ({ expiresAt }: Bound) => Math.floor((expiresAt - now) / 1000);
    if (!this.isLookup(call.kind, call.isTrusted)) {
      if (call.kind === 'INVITE') return [405, []];
      if (logsIn) return [401, []];
      return [live.some(({ isAsleep }) => !isAsleep) ? 200 : 404, []];
    }
    if (!call.isTrusted) {
      if (call.device !== null || sip === 'trusted' || (sip === 'authenticated' && !logsIn)) return [403, []];
      if (sip === 'authenticated') return [401, []];
    }
    const { device } = call;
    const asked = this.askedFor(call, live);
    const targets = asked.filter(({ isAsleep }) => !isAsleep).map((one) => `${one.contact}/${left(one)}`);
    if (call.n === 0 && device === null) targets.push(`${DESK}/3600`);
    if (targets.length > 0) return [302, targets];
    const wakes = this.world.devicesOf(asked, live).length > 0;
    return [logsIn || call.isAlias || device !== null || wakes ? 480 : 404, []];
  }

  private askedFor({ device }: Letter, live: readonly Bound[]): readonly Bound[] {
    return live.filter(({ contact }) => device === null || device.contacts.includes(contact));
  }

  /** Devices that are woken before the letter is answered: of a lookup by who is known, which was not answered before. */
  wokenBy(letter: Letter, bindings: readonly Bound[]): readonly string[] {
    if (letter.kind !== 'INVITE' && letter.kind !== 'OPTIONS') return [];
    const call = letter as Call;
    if (!call.isTrusted || !this.isLookup(call.kind, true) || this.isKnown(call)) return [];
    const live = this.world.live(bindings);
    return this.world.devicesOf(this.askedFor(call, live), live);
  }

  private judgeCancel(call: Call, text: string): void {
    const expected = this.isKnown(call) ? 200 : 481;
    if (!text.startsWith(`SIP/2.0 ${expected}`))
      this.world.fail(`${text.slice(8, 11)} instead of ${expected} to ${storyOf(call)}`);
  }

  private acknowledged({ thread }: Call, text: string | undefined): void {
    if (text !== undefined) this.world.fail(`an answer to an ACK:\n${text}`);
    thread.isAcknowledged = true;
  }

  /** What a shard sends by itself: the answer to an INVITE whose ACK has not come. */
  resent(text: string): void {
    const { world } = this;
    const thread = this.threads.get(/^Call-ID: (.*)\r$/m.exec(text)?.[1] ?? '');
    world.report.resent++;
    if (thread === undefined || thread.answer === '') return; // of long ago
    if (thread.isAcknowledged) world.fail(`sent again though it was acknowledged:\n${text}`);
    if (thread.answer !== text) world.fail(`sent again as another:\n${thread.answer}\n${text}`);
    if (world.now - thread.answeredAt > GIVEN_UP_MS + 1000) world.fail(`sent again too late:\n${text}`);
  }

  private judgeStun({ host, id }: Letter, text: string | undefined): void {
    const bytes = Buffer.from(text ?? '', 'latin1');
    const isAnswer = bytes.readUInt16BE(0) === 0x0101 && bytes.toString('latin1', 4, 20) === id;
    // XOR-MAPPED-ADDRESS of RFC 5389 §15.2: port and address under the cookie.
    if (!isAnswer || (bytes.readUInt16BE(26) ^ 0x2112) !== 5060 || (bytes[31] ^ 0x42) !== host)
      this.world.fail(`STUN drew ${bytes.toString('hex')}`);
  }
}

export function storyOf({ kind, user, host, id, flow }: Letter): string {
  return `${kind} ${user} ${id} from 10.0.0.${host}${flow === 0 ? '' : ' over TCP'}`;
}
