// The parts of push that need no server: devices of Apple, the budget, and which bindings are pushed for a refresh.

import { describe, expect, it } from 'vitest';
import type { PushPolicy } from '../../../src/core/uas/push-policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { apnsTarget } from '../../../src/server/push/apns-device.ts';
import { PushBudget } from '../../../src/server/push/push-budget.ts';
import type { Push, PushReason } from '../../../src/server/push/push-provider.ts';
import type { PushOutcome } from '../../../src/server/push/push-sender.ts';
import { pushBeforeS, Refreshes } from '../../../src/server/push/refreshes.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

describe('a device of Apple', () => {
  const target = (param: string, prid: string, reason: PushReason = 'call') =>
    apnsTarget({ device: { provider: 'apns', param, prid }, reason, until: 0 });

  it('is woken by VoIP pushes for calls alone', () => {
    const voip = {
      teamId: 'DEF123GHIJ',
      topic: 'com.example.app.voip',
      token: '00fc13adff',
      type: 'voip',
      priority: 10,
    };
    expect(target('DEF123GHIJ.com.example.app.voip', '00fc13adff')).toEqual(voip);
    expect(target('DEF123GHIJ.com.example.app.voip', '00fc13adff', 'refresh')).toBeUndefined();
  });

  it('of two tokens has the one for the purpose', () => {
    const [param, prid] = ['DEF123GHIJ.com.example.app.remote&voip', 'aaaaaaaaaa:remote&bbbbbbbbbb:voip'];
    expect(target(param, prid)).toMatchObject({ token: 'bbbbbbbbbb', topic: 'com.example.app.voip', type: 'voip' });
    expect(target(param, prid, 'refresh')).toMatchObject({
      ...{ token: 'aaaaaaaaaa', topic: 'com.example.app', type: 'background', priority: 5 },
    });
  });

  it.each(['', 'voip', 'DEF123GHIJ', 'DEF.com.example.voip', 'DEF123GHIJ.com.example/..voip'])(
    'needs a team, a bundle and a service: %j is none',
    (param) => expect(target(param, '00fc13adff')).toBeUndefined(),
  );

  it.each(['', 'a/../b-long-enough', '00fc13adff?x', '00fc13adff\r\nx'])('needs a token: %j is none', (prid) =>
    expect(target('DEF123GHIJ.com.example.app.voip', prid)).toBeUndefined(),
  );
});

describe('the budget', () => {
  it('lets a second of pushes go at once, and further ones in their turn or not at all', () => {
    const budget = new PushBudget(10);
    expect(Array.from({ length: 12 }, () => budget.take(5000, 1000))).toEqual([...Array(10).fill(0), 100, 200]);
    expect(budget.take(5000, 250)).toBe(-1);
    expect(budget.take(5000, 300)).toBe(300);
    expect(budget.take(9000, 0)).toBe(0);
  });
});

describe('refreshes', () => {
  it('are spread above 120 s; a device that wakes by itself has its chance until then', () => {
    const times = Array.from({ length: 500 }, (_, i) => pushBeforeS(180, false, `apns x ${i}`));
    expect([Math.min(...times) >= 120, Math.max(...times) <= 180, new Set(times).size > 300]).toEqual([
      true,
      true,
      true,
    ]);
    expect([pushBeforeS(180, true, 'a'), pushBeforeS(60, true, 'a')]).toEqual([120, 60]);
  });

  it('wake devices once before their binding ends, again where the service did not take it, and no others', async () => {
    const push: PushPolicy = {
      services: [{ name: 'webpush', needsParam: false, vapid: '' }],
      ...{ refreshS: 180, dormantS: 3600, refusesOthers: false },
    };
    const store = new MemoryStore();
    const shard = new VirtualShard({ store, policy: { push } });
    const bind = (user: string, params: string, expires = 600, tag = '') => {
      const to = `<sip:${user}@example.com>`;
      const contacts = [`<sip:${user}@192.0.2.1;${params}>${tag}`];
      expect(shard.send(register({ to, from: `${to};tag=1`, callId: user, contacts, expires }))?.status).toBe(200);
    };
    bind('a', 'pn-provider=webpush;pn-prid=a');
    bind('b', 'pn-provider=webpush;pn-prid=b', 3600);
    bind('c', 'pn-provider=other;pn-prid=c');
    bind('d', 'x=y');
    bind('e', 'pn-provider=webpush;pn-prid=e', 600, ';+sip.pnsreg');
    const sent: Push[] = [];
    const outcomes: PushOutcome[] = [];
    const send = async (one: Push): Promise<PushOutcome> => {
      sent.push(one);
      return outcomes.shift() ?? 'sent';
    };
    const refreshes = new Refreshes({
      ...{ refreshS: 180, readers: [store.reader()], isOurs: () => true, now: () => shard.now, send, log: () => {} },
    });
    const told = async () => {
      await refreshes.round();
      return sent.splice(0).map(({ device, reason }) => `${device.prid} ${reason}`);
    };
    expect(await told()).toEqual([]);
    shard.now += 419_000;
    expect(await told()).toEqual([]);
    shard.now += 60_500;
    outcomes.push('put off');
    expect(await told()).toEqual(['a refresh']);
    expect(await told()).toEqual(['a refresh']);
    shard.now += 600;
    expect(await told()).toEqual(['e refresh']);
    expect(await told()).toEqual([]);
    shard.advance(130);
    expect(await told(), 'behind its end there are none').toEqual([]);
    shard.now += 3_600_000;
    expect(await told()).toEqual([]);
  });
});
