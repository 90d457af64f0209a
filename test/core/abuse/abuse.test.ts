// Abuse control in virtual time: offices, scanners, floods under false addresses, and the accounts they are after.

import { describe, expect, it } from 'vitest';
import { Abuse, CHALLENGED, FAILED_CREDENTIALS, MALFORMED, REFUSED, SUCCESS } from '../../../src/core/abuse/abuse.ts';
import { type AbusePolicy, DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { parseIpPrefix } from '../../../src/sip/ip-prefix.ts';
import { createPeers } from '../../../src/sip/sources.ts';

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1);
const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** Abuse control with a clock of its own; sources as "address port". */
class Gate {
  now = Date.UTC(2026, 0, 1);
  readonly abuse: Abuse;
  readonly peers = createPeers(1);

  constructor(policy: Partial<AbusePolicy> = {}) {
    this.abuse = new Abuse({ ...DEFAULT_ABUSE_POLICY, ...policy }, KEY);
  }

  from(address: string, port = 5060): void {
    const prefix = parseIpPrefix(address);
    if (prefix === null) throw new Error(address);
    this.peers.family[0] = prefix.family;
    this.peers.ip.fill(0);
    this.peers.ip.set(prefix.bytes);
    this.peers.port[0] = port;
  }

  /** A number for an address: 1.0.0.0 and up. */
  fromNumber(n: number): void {
    this.peers.family[0] = 4;
    this.peers.ip.set([1 + (n >>> 24), (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
    this.peers.port[0] = 5060;
  }

  /** A message of the source set last that comes to `kind` if it is looked at; whether it was. */
  message(kind: number): boolean {
    if (!this.abuse.accepts(this.peers, 0, this.now)) return false;
    this.abuse.countResult(this.peers, 0, kind, this.now);
    return true;
  }

  say(address: string, port: number, kind: number): boolean {
    this.from(address, port);
    return this.message(kind);
  }

  /** Messages at a rate per second until one is refused; seconds that took, or the number given. */
  secondsUntilRefused(kind: (i: number) => number, perSecond: number, secondsMax: number): number {
    for (let i = 0; i < perSecond * secondsMax; i++) {
      if (!this.message(kind(i))) return i / perSecond;
      this.now += SECOND / perSecond;
    }
    return secondsMax;
  }
}

const OFFICE = '198.51.100.7';
const SCANNER = '203.0.113.66';

describe('an office of 500 phones behind one address', () => {
  it('is never refused after an outage, all at once, retransmitting, again and again', () => {
    const gate = new Gate();
    for (let outage = 0; outage < 6; outage++) {
      let refused = 0;
      for (let copy = 0; copy < 4; copy++)
        for (let phone = 0; phone < 500; phone++) if (!gate.say(OFFICE, 2000 + phone, CHALLENGED)) refused++;
      for (let phone = 0; phone < 500; phone++) if (!gate.say(OFFICE, 2000 + phone, SUCCESS)) refused++;
      expect(refused).toBe(0);
      gate.now += 20 * SECOND;
    }
  });

  it('is never refused in three days with new ports, fresh challenges and ten phones with a wrong password', () => {
    const gate = new Gate();
    let refused = 0;
    for (let minute = 0; minute < 3 * 24 * 60; minute++) {
      for (let n = 0; n < 8; n++) {
        const port = 1024 + ((minute * 8 + n) % 60_000);
        if (!gate.say(OFFICE, port, CHALLENGED)) refused++;
        if (!gate.say(OFFICE, port, SUCCESS)) refused++;
      }
      for (let n = 0; n < 20; n++) {
        if (!gate.say(OFFICE, 700 + n, CHALLENGED)) refused++;
        if (!gate.say(OFFICE, 700 + n, FAILED_CREDENTIALS)) refused++;
      }
      gate.now += 60 * SECOND;
    }
    expect(refused).toBe(0);
  });

  it('keeps its registered phones although a machine among them scans, and that machine is refused', () => {
    const gate = new Gate();
    for (let phone = 0; phone < 500; phone++) gate.say(OFFICE, 2000 + phone, SUCCESS);
    gate.from(OFFICE, 40_000);
    expect(gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 20)).toBeLessThan(5);
    for (let phone = 0; phone < 500; phone++) expect(gate.say(OFFICE, 2000 + phone, SUCCESS)).toBe(true);
  });
});

describe('a scanner', () => {
  it.each([
    ['wrong passwords', (i: number) => (i % 2 === 0 ? CHALLENGED : FAILED_CREDENTIALS)],
    ['other domains', () => REFUSED],
    ['malformed requests', () => MALFORMED],
    ['a bit of everything', (i: number) => [CHALLENGED, FAILED_CREDENTIALS, REFUSED, MALFORMED][i % 4]],
  ])('with %s is refused within seconds', (_, kind) => {
    const gate = new Gate();
    gate.from(SCANNER);
    expect(gate.secondsUntilRefused(kind, 50, 60)).toBeLessThan(5);
  });

  it('is heard now and then while it goes on, and soon after it stops', () => {
    const gate = new Gate();
    gate.from(SCANNER);
    gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 10);
    let heard = 0;
    for (let i = 0; i < 60 * 100; i++) {
      if (gate.message(FAILED_CREDENTIALS)) heard++;
      gate.now += SECOND / 100;
    }
    expect(heard).toBe(12); // 0.2 a second
    gate.now += 6 * SECOND;
    expect(gate.message(SUCCESS)).toBe(true);
  });

  it('with an account of its own buys few guesses with it', () => {
    const gate = new Gate();
    gate.from(SCANNER);
    let guesses = 0;
    for (let i = 0; i < 600; i++) {
      gate.message(SUCCESS);
      if (gate.message(FAILED_CREDENTIALS)) guesses++;
      if (gate.message(FAILED_CREDENTIALS)) guesses++;
      if (gate.message(FAILED_CREDENTIALS)) guesses++;
      gate.now += SECOND;
    }
    expect(guesses).toBeLessThan(1200); // of 1,800; without an end it is fewer than two per REGISTER served
  });

  it('does not spoil its neighbour', () => {
    const gate = new Gate();
    gate.from(SCANNER);
    gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 10);
    expect(gate.say('203.0.113.67', 5060, CHALLENGED)).toBe(true);
  });
});

describe('a flood of challenges that nobody answers', () => {
  it('from one source is limited', () => {
    const gate = new Gate();
    gate.from(SCANNER);
    let looked = 0;
    for (let i = 0; i < 100_000; i++) {
      if (gate.message(CHALLENGED)) looked++;
      gate.now += 1; // 1,000 a second
    }
    expect(looked).toBeLessThan(4000 + 100 * 50 + 100);
  });

  it('in the name of an office spares its registered phones, and is over when it is over', () => {
    const gate = new Gate();
    for (let phone = 0; phone < 200; phone++) gate.say(OFFICE, 2000 + phone, SUCCESS);
    let looked = 0;
    for (let i = 0; i < 300_000; i++) {
      if (gate.say(OFFICE, 10_000 + (i % 50_000), i % 3 === 0 ? FAILED_CREDENTIALS : CHALLENGED)) looked++;
      if (i % 10_000 === 0) expect(gate.say(OFFICE, 2000 + ((i / 10_000) % 200), SUCCESS)).toBe(true);
      if (i % 10 === 0) gate.now += 1; // 10,000 a second for 30 s
    }
    expect(looked).toBeLessThan(6000);
    gate.now += 5 * SECOND;
    for (let phone = 0; phone < 10; phone++) {
      expect(gate.say(OFFICE, 64_000 + phone, CHALLENGED)).toBe(true);
      expect(gate.say(OFFICE, 64_000 + phone, SUCCESS)).toBe(true);
    }
  });
});

describe('a million false addresses', () => {
  it('R3261-26.1.5-01 leave memory as it was, and push out neither who succeeded nor who is refused', () => {
    const gate = new Gate();
    const before = gate.abuse.bytes;
    for (let home = 0; home < 2000; home++) {
      gate.fromNumber(0x10000000 + home);
      gate.message(CHALLENGED);
      gate.message(SUCCESS);
    }
    for (let phone = 0; phone < 500; phone++) gate.say(OFFICE, 2000 + phone, SUCCESS);
    gate.from(SCANNER);
    gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 10);

    for (let i = 0; i < 1_000_000; i++) {
      gate.fromNumber(0x40000000 + ((i * 2_654_435_761) >>> 3));
      gate.message(i % 2 === 0 ? CHALLENGED : FAILED_CREDENTIALS);
      if (i % 100 === 0) gate.now += 1; // 100,000 a second
    }

    expect(gate.abuse.bytes).toBe(before);
    expect(before).toBeLessThan(8 << 20);
    gate.from(SCANNER);
    gate.message(FAILED_CREDENTIALS); // what ten seconds have forgiven
    gate.message(FAILED_CREDENTIALS);
    gate.message(FAILED_CREDENTIALS);
    expect(gate.message(FAILED_CREDENTIALS)).toBe(false);
    // The office's prefix still has its standing: hundreds of failures, not thirty.
    gate.from(OFFICE, 60_000);
    for (let i = 0; i < 100; i++) expect(gate.message(FAILED_CREDENTIALS)).toBe(true);
    // And every home is known at its port, whatever its prefix has done.
    let served = 0;
    for (let home = 0; home < 2000; home++) {
      gate.fromNumber(0x10000000 + home);
      gate.peers.port[0] = 9;
      for (let i = 0; i < 40; i++) gate.message(FAILED_CREDENTIALS);
      gate.peers.port[0] = 5060;
      if (gate.message(SUCCESS)) served++;
    }
    expect(served).toBe(2000);
  });
});

describe('prefixes', () => {
  it('IPv6: a /64 is one source, whatever address of it is used', () => {
    const gate = new Gate();
    for (let i = 0; i < 30; i++) expect(gate.say(`2001:db8:1:2::${i.toString(16)}`, i, FAILED_CREDENTIALS)).toBe(true);
    expect(gate.say('2001:db8:1:2:aaaa::1', 9, CHALLENGED)).toBe(false);
    expect(gate.say('2001:db8:1:3::1', 9, CHALLENGED)).toBe(true);
  });

  it('IPv6: a /48 cannot go on from one /64 to the next for ever', () => {
    const gate = new Gate();
    let looked = 0;
    for (let i = 0; i < 20_000; i++)
      if (gate.say(`2001:db8:7:${(i & 0xffff).toString(16)}::1`, 5060, FAILED_CREDENTIALS)) looked++;
    expect(looked).toBe(16 * 30);
    expect(gate.say('2001:db8:8::1', 5060, CHALLENGED)).toBe(true);
  });

  it.each([
    [24, '203.0.113.1', '203.0.114.1'],
    [20, '203.0.127.9', '203.0.128.1'],
    [32, '203.0.113.66', '203.0.113.67'],
  ])('IPv4: /%i by configuration', (bits, inside, outside) => {
    const gate = new Gate({ ipv4PrefixBits: bits });
    gate.from(SCANNER);
    gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 10);
    expect(gate.say(inside, 1, CHALLENGED)).toBe(false);
    expect(gate.say(outside, 1, CHALLENGED)).toBe(true);
  });

  it('in the list of the unlimited are never refused', () => {
    const gate = new Gate({ unlimited: ['203.0.113.0/24'] });
    gate.from(SCANNER);
    expect(gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 1000, 2)).toBe(2);
  });

  it('nobody is refused where abuse control is off', () => {
    const gate = new Gate({ enabled: false });
    gate.from(SCANNER);
    expect(gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 1000, 2)).toBe(2);
  });
});

describe('a known flow', () => {
  const known = (hours: number) => {
    const gate = new Gate();
    gate.say(OFFICE, 5060, SUCCESS);
    gate.now += hours * HOUR;
    gate.from(OFFICE, 9);
    for (let i = 0; i < 100; i++) gate.message(FAILED_CREDENTIALS);
    return gate;
  };

  it('passes for as long as a registration may last, not for ever', () => {
    expect(known(2).say(OFFICE, 5060, CHALLENGED)).toBe(true);
    expect(known(3).say(OFFICE, 5060, CHALLENGED)).toBe(false);
  });

  it('that begins to guess itself is known no more', () => {
    const gate = known(0);
    gate.from(OFFICE, 5060);
    expect(gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 20, 10)).toBeLessThan(2);
  });

  it('spends something with each failure, however fast they are forgiven', () => {
    const gate = new Gate({ flowFailuresMax: 10_000, flowFailuresPerS: 10_000 });
    gate.say(OFFICE, 5060, SUCCESS);
    gate.from(OFFICE, 9);
    for (let i = 0; i < 100; i++) gate.message(FAILED_CREDENTIALS);
    gate.from(OFFICE, 5060);
    expect(Array.from({ length: 20 }, () => gate.message(FAILED_CREDENTIALS))).toContain(false);
  });

  it('may fail as often as a reload says, and is known for as long', () => {
    const gate = known(0);
    gate.from(OFFICE, 5060);
    gate.abuse.configure({ ...DEFAULT_ABUSE_POLICY, flowFailuresMax: 3 });
    expect([0, 1, 2, 3].map(() => gate.message(FAILED_CREDENTIALS))).toEqual([true, true, true, false]);
    gate.now += 60 * SECOND;
    gate.from(OFFICE, 9);
    for (let i = 0; i < 100; i++) gate.message(FAILED_CREDENTIALS);
    expect(gate.say(OFFICE, 5060, CHALLENGED)).toBe(true);
    gate.abuse.configure({ ...DEFAULT_ABUSE_POLICY, knownFlowS: 30 });
    expect(gate.say(OFFICE, 5060, CHALLENGED)).toBe(false);
  });
});

describe('a source that is refused', () => {
  const refuse = (gate: Gate, address: string): void => {
    for (let i = 0; i < 200; i++)
      if (!gate.say(address, 9, REFUSED) && gate.abuse.reportDue) gate.abuse.report(gate.peers, 0);
  };

  it.each([
    ['203.0.113.66', '203.0.113.66/32'],
    ['2001:db8:1:2::66', '2001:db8:1:2::/64'],
  ])('is listed until its budget is whole, and is let go by its address (%s)', (address, name) => {
    const gate = new Gate();
    refuse(gate, address);
    const [limited, ...more] = gate.abuse.limitedNow(gate.now);
    expect(limited).toMatchObject({ kind: 'source', name, reason: 'refusals', successes: 0 });
    expect(more).toEqual([]);
    expect(gate.abuse.forgive('203.0.113.67', gate.now)).toBe(false);
    expect(gate.abuse.forgive(address, gate.now)).toBe(true);
    expect(gate.abuse.limitedNow(gate.now)).toEqual([]);
    expect(gate.say(address, 9, REFUSED)).toBe(true);
    refuse(gate, address);
    expect(gate.abuse.forgive(name, gate.now), 'its prefix is a name, too').toBe(true);
    refuse(gate, address);
    gate.now += (gate.abuse.limitedNow(gate.now)[0].leftS + 1) * SECOND;
    expect(gate.say(address, 9, REFUSED), 'after the time that the list gives').toBe(true);
  });
});

describe('an account whose password is guessed from many addresses', () => {
  const guessed = () => {
    const gate = new Gate();
    gate.say('192.0.2.10', 5060, SUCCESS);
    gate.abuse.aorOutcome(1, 2, 3, SUCCESS, gate.now);
    return gate;
  };
  const guess = (gate: Gate, bot: number): boolean => {
    gate.fromNumber(0x50000000 + bot);
    if (!gate.abuse.accepts(gate.peers, 0, gate.now)) return false;
    if (!gate.abuse.aorAllowed(gate.peers, 0, 1, 2, 3, gate.now)) return false;
    gate.abuse.countResult(gate.peers, 0, FAILED_CREDENTIALS, gate.now);
    gate.abuse.aorOutcome(1, 2, 3, FAILED_CREDENTIALS, gate.now);
    return true;
  };

  it('has few of the guesses checked, however many machines guess', () => {
    const gate = guessed();
    let checked = 0;
    for (let i = 0; i < 60_000; i++) {
      if (guess(gate, i)) checked++;
      gate.now += 10;
    }
    expect(checked).toBeLessThan(20 + 600 * 0.2 + 5); // in ten minutes
  });

  it('is listed with a line of the log now and then, and is let go by name', () => {
    const gate = guessed();
    const key = Uint32Array.of(1, 2, 3, 0);
    let lines = 0;
    for (let i = 0; i < 1000; i++)
      if (!guess(gate, i) && gate.abuse.reportDue) {
        lines++;
        gate.abuse.reportAccount(gate.peers, 0, key, 'alice@example.com');
      }
    expect(lines, 'one in five minutes').toBe(1);
    const [limited, ...more] = gate.abuse.limitedNow(gate.now);
    expect(limited).toMatchObject({ kind: 'account', name: 'alice@example.com', reason: 'guessed' });
    expect(limited.leftS).toBeLessThan(6);
    expect(more).toEqual([]);
    expect(gate.abuse.forgive('bob@example.com', gate.now)).toBe(false);
    expect(gate.abuse.forgive('alice@example.com', gate.now)).toBe(true);
    expect(gate.abuse.limitedNow(gate.now)).toEqual([]);
    expect(guess(gate, 2000), 'is looked at again').toBe(true);
  });

  it('stays open to its owner where he registered lately, and soon everywhere', () => {
    const gate = guessed();
    for (let i = 0; i < 1000; i++) guess(gate, i);
    const allowed = (address: string, port: number) => {
      gate.from(address, port);
      gate.abuse.accepts(gate.peers, 0, gate.now);
      return gate.abuse.aorAllowed(gate.peers, 0, 1, 2, 3, gate.now);
    };
    expect(allowed('192.0.2.10', 5060)).toBe(true);
    expect(allowed('192.0.2.10', 33_333)).toBe(true); // a new port of the same address
    expect(allowed('192.0.2.77', 5060)).toBe(false);
    gate.now += 6 * SECOND;
    expect(allowed('192.0.2.77', 5060)).toBe(true);
  });

  it('knows its owner for as long as a reload says', () => {
    const gate = guessed();
    const allowed = () => {
      gate.from('192.0.2.10');
      gate.abuse.accepts(gate.peers, 0, gate.now);
      return gate.abuse.aorAllowed(gate.peers, 0, 1, 2, 3, gate.now);
    };
    gate.now += 60 * SECOND;
    for (let i = 0; i < 1000; i++) guess(gate, i);
    expect(allowed()).toBe(true);
    gate.abuse.configure({ ...DEFAULT_ABUSE_POLICY, knownFlowS: 30 });
    expect(allowed()).toBe(false);
  });

  /** Guesses checked in an hour from one address, at 20 a second, with other things done before each. */
  const guessesInAnHour = (gate: Gate, before: (i: number) => void): number => {
    let checked = 0;
    for (let i = 0; i < 72_000; i++) {
      gate.now += 50;
      before(i);
      gate.from(OFFICE, 5060);
      if (!gate.abuse.accepts(gate.peers, 0, gate.now)) continue;
      if (!gate.abuse.aorAllowed(gate.peers, 0, 1, 2, 3, gate.now)) continue;
      checked++;
      gate.abuse.countResult(gate.peers, 0, FAILED_CREDENTIALS, gate.now);
      gate.abuse.aorOutcome(1, 2, 3, FAILED_CREDENTIALS, gate.now);
    }
    return checked;
  };
  const logIn = (gate: Gate, port: number, [k0, k1, k2]: readonly [number, number, number]) => {
    if (!gate.say(OFFICE, port, SUCCESS)) return;
    gate.abuse.aorOutcome(k0, k1, k2, SUCCESS, gate.now);
  };

  it.each([1, 33, 2, 0x10001])(
    'has few of an insider’s guesses checked, though he logs in before each (account %i)',
    (k0) => {
      const gate = guessed();
      const checked = guessesInAnHour(gate, () => {
        logIn(gate, 5060, [k0, 7, 8]);
        logIn(gate, 5060, [k0, 7, 8]);
      });
      expect(checked).toBeLessThan(20 + 3600 * 0.2 + 5);
    },
  );

  it('has few guesses checked from among a crowd behind one address, be the owner one of them', () => {
    const crowd = (gate: Gate) => (i: number) => logIn(gate, 1024 + (i % 500), [i % 500, 9, 9]);
    const away = guessed();
    expect(guessesInAnHour(away, crowd(away))).toBeLessThan(20 + 3600 * 0.2 + 5);
    const home = guessed();
    logIn(home, 4000, [1, 2, 3]);
    expect(guessesInAnHour(home, crowd(home))).toBeLessThan(2 * (20 + 3600 * 0.2 + 5));
    home.from(OFFICE, 4000);
    expect(home.abuse.aorAllowed(home.peers, 0, 1, 2, 3, home.now), 'the owner’s phone').toBe(true);
  });

  it('does not close other accounts', () => {
    const gate = guessed();
    for (let i = 0; i < 1000; i++) guess(gate, i);
    gate.from('192.0.2.77');
    expect(gate.abuse.aorAllowed(gate.peers, 0, 9, 8, 7, gate.now)).toBe(true);
  });

  it('has its wrong guesses forgiven by successes', () => {
    const gate = guessed();
    for (let i = 0; i < 20; i++) guess(gate, i);
    gate.say('192.0.2.10', 5060, SUCCESS);
    gate.abuse.aorOutcome(1, 2, 3, SUCCESS, gate.now);
    expect(guess(gate, 99)).toBe(true);
  });
});

describe('the log', () => {
  const reportsIn = (gate: Gate, messages: number) => {
    let due = 0;
    for (let i = 0; i < messages; i++) {
      if (!gate.message(FAILED_CREDENTIALS) && gate.abuse.reportDue) due++;
    }
    return due;
  };

  it('is told of a source once, and again after a while', () => {
    const gate = new Gate();
    gate.from(SCANNER);
    expect(reportsIn(gate, 1000)).toBe(1);
    gate.now += 200 * SECOND;
    expect(reportsIn(gate, 1000)).toBe(0);
    gate.now += 200 * SECOND;
    expect(reportsIn(gate, 1000)).toBe(1);
  });

  it('names the address, the prefix, the reason and the successes', () => {
    const gate = new Gate();
    gate.from('2001:db8:0:1::5');
    while (gate.message(REFUSED));
    expect(gate.abuse.report(gate.peers, 0)).toEqual({
      source: '2001:db8:0:1::5',
      prefix: '2001:db8:0:1::/64',
      reason: 'refusals',
      successes: 0,
    });
    gate.from(OFFICE);
    gate.message(SUCCESS);
    gate.from(OFFICE, 9);
    while (gate.message(CHALLENGED));
    expect(gate.abuse.report(gate.peers, 0)).toEqual({
      source: OFFICE,
      prefix: `${OFFICE}/32`,
      reason: 'unanswered-challenges',
      successes: 1,
    });
  });

  it('names what has used up a budget that has grown by successes, as the list of limited ones does', () => {
    const gate = new Gate();
    gate.from(OFFICE);
    for (let i = 0; i < 1000; i++) gate.message(SUCCESS);
    gate.from(OFFICE, 9);
    for (let i = 0; i < 100; i++) expect(gate.message(FAILED_CREDENTIALS)).toBe(true);
    while (gate.message(CHALLENGED));
    expect(gate.abuse.report(gate.peers, 0).reason).toBe('unanswered-challenges');
    expect(gate.abuse.limitedNow(gate.now).map(({ reason }) => reason)).toEqual(['unanswered-challenges']);
  });

  it('names what has used up the budget of an aggregate', () => {
    const gate = new Gate();
    const networks = 64;
    const from = (n: number) => gate.from(`2001:db8:1:${n.toString(16)}::1`);
    for (let i = 0; i < 100; i++) {
      from(i % networks);
      gate.message(FAILED_CREDENTIALS);
    }
    let n = 0;
    do from(n++ % networks);
    while (gate.message(CHALLENGED));
    expect(gate.abuse.report(gate.peers, 0)).toMatchObject({
      prefix: '2001:db8:1::/48',
      reason: 'unanswered-challenges',
    });
  });

  it('is not flooded by many sources', () => {
    const gate = new Gate();
    let due = 0;
    for (let i = 0; i < 1000; i++) {
      gate.fromNumber(0x60000000 + i);
      for (let n = 0; n < 40; n++) if (!gate.message(FAILED_CREDENTIALS) && gate.abuse.reportDue) due++;
    }
    expect(due).toBe(10);
    gate.now += SECOND;
    gate.fromNumber(0x60000000 + 999);
    gate.message(FAILED_CREDENTIALS);
    expect(gate.message(FAILED_CREDENTIALS)).toBe(false);
    expect(gate.abuse.reportDue).toBe(true); // late, but not lost
  });
});

describe('numbers of a configuration', () => {
  it.each([0, 0.5, 40, 129, 1e9])('never hang or break it: %d everywhere', (n) => {
    const policy = Object.entries(DEFAULT_ABUSE_POLICY).map(([key, value]) => [
      key,
      typeof value === 'number' && !(key.endsWith('sMax') && n > 1e6) ? n : value,
    ]);
    const gate = new Gate(Object.fromEntries(policy));
    for (const address of [SCANNER, '2001:db8::1']) {
      gate.from(address);
      for (const kind of [CHALLENGED, FAILED_CREDENTIALS, SUCCESS, REFUSED, MALFORMED]) gate.message(kind);
      gate.now += 10 * SECOND;
      expect(typeof gate.message(SUCCESS)).toBe('boolean');
    }
  });
});

describe('the clock', () => {
  it('may be set back or far ahead without anybody being locked out', () => {
    for (const jump of [-400 * 24 * HOUR, 400 * 24 * HOUR, -10]) {
      const gate = new Gate();
      gate.from(SCANNER);
      gate.secondsUntilRefused(() => FAILED_CREDENTIALS, 100, 10);
      gate.now += jump;
      gate.message(FAILED_CREDENTIALS);
      gate.now += 6 * SECOND;
      expect(gate.message(SUCCESS)).toBe(true);
    }
  });
});
