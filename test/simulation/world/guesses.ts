// Somebody guesses passwords, and scanners that name themselves. Nobody of them is let in; after some wrong passwords of a source it draws
// nothing, and after some of an account strangers are put off. What exactly is counted when is left open within bounds.

import type { AbusePolicy } from '../../../src/core/abuse/abuse-policy.ts';
import { authorization } from '../../support/digest-client.ts';
import type { Letter } from './call-letters.ts';
import type { Called } from './calls.ts';

const HOST = 140;
const SCANNER = 150;

/** Wrong passwords that one shard has answered in this life. */
class Failures {
  private life = -1;
  private readonly times: number[] = [];
  private all = 0;

  add(life: number, now: number): void {
    this.begin(life);
    this.all++;
    this.times.push(now);
  }

  /** What may have been taken back is no more known to count. */
  forget(): void {
    this.times.length = 0;
  }

  /** So many there are at most. */
  most(life: number): number {
    this.begin(life);
    return this.all;
  }

  /** So many at least still count, where so many a second are forgiven. */
  least(life: number, now: number, perS: number): number {
    this.begin(life);
    const { times } = this;
    if (times.length === 0) return 0;
    const passedS = (now - times[0]) / 1000;
    return passedS < 0 ? 0 : times.length - passedS * perS - 0.5;
  }

  private begin(life: number): void {
    if (this.life === life) return;
    this.life = life;
    this.times.length = 0;
    this.all = 0;
  }
}

interface Guess extends Letter {
  readonly hasPassword: boolean;
}

export class Guesses {
  private readonly world: Called;
  private readonly policy: AbusePolicy;
  /** By host and shard; by AOR, whose shard it is. */
  private readonly bySource = new Map<string, Failures>();
  private readonly byAor = new Map<number, Failures>();
  private nonce = '';
  private count = 0;

  constructor(world: Called, policy: AbusePolicy) {
    this.world = world;
    this.policy = policy;
  }

  draw(n: number): Guess {
    const { random } = this.world;
    const isScanner = random.chance(0.2);
    const host = isScanner ? SCANNER : HOST;
    const hasPassword = this.nonce !== '' && !isScanner;
    const user = `u${n}`;
    const id = `guess${++this.count}@guesser`;
    const login = hasPassword
      ? `Authorization: ${authorization({ nonce: this.nonce, nc: 1, qop: 'auth', username: user, password: 'guessed' })}\r\n`
      : '';
    const bytes = Buffer.from(
      `REGISTER sip:example.com SIP/2.0\r\n` +
        `Via: SIP/2.0/UDP 10.0.0.${host}:5060;branch=z9hG4bK${id}\r\nMax-Forwards: 70\r\n` +
        `From: <sip:${user}@example.com>;tag=${id}\r\nTo: <sip:${user}@example.com>\r\nCall-ID: ${id}\r\n` +
        `CSeq: 1 REGISTER\r\nContact: <sip:guesser@10.0.0.${host}>\r\n` +
        `${isScanner ? 'User-Agent: friendly-scanner\r\n' : ''}${login}Content-Length: 0\r\n\r\n`,
      'latin1',
    );
    const kind = isScanner ? 'scanner' : 'guess';
    return {
      ...{ kind, n, user, isAlias: false, device: null, flow: 0, isOrder: false },
      id,
      host,
      bytes,
      hasPassword,
    };
  }

  /** @param shard that has received it: the one that owns the AOR, or another that would have handed it on */
  judge(letter: Letter, text: string | undefined, shard: number): void {
    const { world, policy } = this;
    const { n, host, hasPassword } = letter as Guess;
    const source = this.sourceAt(host, shard);
    const life = world.startOf(shard);
    const account = this.accountOf(n);
    const accountLife = world.lifeOf(n);
    const isRefused = source.least(life, world.now, policy.failuresPerS) >= policy.failuresMax;
    if (text === undefined) {
      if (source.most(life) < policy.failuresMax) world.fail(`silence to ${letter.id}, which had failed too seldom`);
      world.report.silences++;
      return;
    }
    world.report.guesses++;
    if (isRefused) world.fail(`an answer to ${letter.id}, whose source has failed too often:\n${text}`);
    const status = Number(text.slice(8, 11));
    if (status === 401) this.nonce = /nonce="([^"]*)"/.exec(text)?.[1] ?? '';
    if (!hasPassword && status === 401) return;
    const isLimited = account.least(accountLife, world.now, policy.aorFailuresPerS) >= policy.aorFailuresMax;
    if (status === 503 && world.isAway(n)) return;
    if (status === 503 && account.most(accountLife) >= policy.aorFailuresMax) return;
    if (status !== 401 && status !== 403) world.fail(`${status} to a guess:\n${text}`);
    if (isLimited) world.fail(`${letter.id} was tried, of an account that has drawn too many`);
    source.add(life, world.now);
    account.add(accountLife, world.now);
  }

  /** Nobody knows how much has been forgiven: a clock was set back. */
  forget(): void {
    for (const failures of [...this.bySource.values(), ...this.byAor.values()]) failures.forget();
  }

  /** A success takes some of them back. */
  succeeded(n: number): void {
    this.byAor.get(n)?.forget();
  }

  private sourceAt(host: number, shard: number): Failures {
    const name = `${host} ${shard}`;
    const found = this.bySource.get(name) ?? new Failures();
    this.bySource.set(name, found);
    return found;
  }

  private accountOf(n: number): Failures {
    const found = this.byAor.get(n) ?? new Failures();
    this.byAor.set(n, found);
    return found;
  }
}
