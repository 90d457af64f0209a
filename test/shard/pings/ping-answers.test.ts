// Which answers count as those of a ping, in virtual time: what is forged, late or another contact's is none.

import { describe, expect, it } from 'vitest';
import { createPingResults } from '../../../src/core/pings/ping-results.ts';
import { LISTENERS, NATTED, type World, world } from '../../support/pinged-shard.ts';
import { type SentRequest, VirtualShard } from '../../support/virtual-shard.ts';
import { responseTo } from '../../support/watcher.ts';

describe('an answer', () => {
  function pinged(): { w: World; ping: SentRequest } {
    const w = world();
    w.register();
    w.shard.advance(60);
    return { w, ping: w.pings()[0] };
  }

  it.each([
    ['another code', (branch: string) => branch.replace(/.{4}$/, '0000')],
    ['another first word of the code', (branch: string) => branch.replace(/.{4}(.{8})$/, '0000$1')],
    ['another AOR', (branch: string) => branch.replace(/^(z9hG4bKp).{4}/, '$10000')],
    ['another contact', (branch: string) => branch.replace(/^(z9hG4bKp.{8}).{8}/, '$100000009')],
    ['a time long ago', (branch: string) => branch.replace(/^(z9hG4bKp.{16})./, '$1f')],
    ['another time', (branch: string) => branch.replace(/^(z9hG4bKp.{22})../, (_, head) => `${head}00`)],
    ['too few digits', (branch: string) => branch.slice(0, -1)],
    ['no digits', (branch: string) => `${branch.slice(0, -1)}x`],
  ])('with a branch of %s is none', (_, change) => {
    const { w, ping } = pinged();
    const [branch] = /z9hG4bKp[0-9a-f]+/.exec(ping.text) ?? [''];
    w.shard.batch([responseTo(ping.text.replace(branch, change(branch)))]);
    expect(w.shard.counter('pings_answered')).toBe(0);
    w.shard.batch([responseTo(ping.text)]);
    expect(w.shard.counter('pings_answered')).toBe(1);
  });

  it('is that of one contact alone, also where another has its source', () => {
    const w = world();
    for (const user of ['u1', 'u2']) w.register({ to: `<sip:${user}@example.com>`, callId: user });
    w.shard.advance(60);
    const [first, second] = w.pings().map(({ text }) => text);
    const numberIn = (text: string) => /z9hG4bKp.{8}(.{8})/.exec(text)?.[1] ?? '';
    const forged = first.replace(/(z9hG4bKp.{8}).{8}/, `$1${numberIn(second)}`);
    w.shard.batch([responseTo(forged)]);
    expect([numberIn(first) === numberIn(second), w.shard.counter('pings_answered')]).toEqual([false, 0]);
  });

  it('keeps no contact alive that has got the number of a former one', () => {
    const { w, ping } = pinged();
    w.register({ cseq: 2, contacts: ['*'], expires: 0 });
    w.shard.advance(60);
    w.register({ to: '<sip:bob@example.com>', callId: 'b' }, { ...NATTED, port: 40_002 });
    w.shard.batch([]);
    expect(w.shard.counter('pinged_contacts')).toBe(1);
    w.shard.batch([responseTo(ping.text)]);
    expect(w.shard.counter('pings_answered')).toBe(0);
  });

  it('counts within two intervals', () => {
    const { w, ping } = pinged();
    w.shard.advance(121);
    w.shard.batch([responseTo(ping.text)]);
    expect(w.shard.counter('pings_answered')).toBe(0);
  });

  it('that another shard has to hear of is handed to it', () => {
    const { ping } = pinged();
    const results = createPingResults();
    const keyWord = Number.parseInt(/z9hG4bKp(.{8})/.exec(ping.text)?.[1] ?? '', 16);
    const shard = new VirtualShard({
      policy: { ping: 'all' },
      shards: 2,
      index: 1 - (keyWord % 2),
      pings: { results: [results, results], sentBy: LISTENERS, udpByMain: false, tcpByMain: false },
    });
    shard.batch([responseTo(ping.text)]);
    expect(shard.forwarded.map(({ owner }) => owner)).toEqual([keyWord % 2]);
  });
});
