// Bindings whose connection has ended, where the disk fails meanwhile: they go once it holds again, and are not looked for without a pause until then.

import { expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { FlakyStore } from '../support/flaky-store.ts';
import { LONG_BATCH, longContacts } from '../support/long-records.ts';
import { SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

function withConnection(aors: number): {
  store: FlakyStore;
  shard: VirtualShard;
  disk: { fails: boolean };
  end(): void;
} {
  const disk = { fails: false };
  const store = new FlakyStore(() => disk.fails);
  const alive = new Set([7]);
  const shard = new VirtualShard({ store, flows: { isAlive: (flow) => alive.has(flow) } });
  for (let i = 0; i < aors; i++) {
    const to = `<sip:u${i}@example.com>`;
    const request = register({ to, callId: `${i}`, contacts: ['<sip:phone@192.0.2.9:5060;transport=tcp>'] });
    expect(shard.batch([request], { transport: TRANSPORT_TCP, flow: 7 })[0].status).toBe(200);
  }
  const end = () => {
    alive.delete(7);
    shard.flowsEnded([7]);
    shard.batch([]);
  };
  return { store, shard, disk, end };
}

it.each([1, 300])('R5626-7-01 %i bindings of a dead flow go although the commit failed at first', (aors) => {
  const { store, shard, disk, end } = withConnection(aors);
  disk.fails = true;
  end();
  shard.advance(5);
  expect(store.failures).toBeLessThan(10);
  expect([store.bindings, shard.counter('flow_ended')]).toEqual([aors, 0]);
  disk.fails = false;
  shard.advance(2);
  expect([store.bindings, shard.counter('flow_ended')]).toEqual([0, aors]);
});

it.each([1, 300])('R5626-7-01 %i bindings of a dead flow go although they could not be read at first', (aors) => {
  const { store, shard, end } = withConnection(aors);
  store.unreadable = true;
  end();
  shard.advance(5);
  expect([store.bindings, shard.counter('flow_ended')]).toEqual([aors, 0]);
  store.unreadable = false;
  shard.advance(2);
  expect([store.bindings, shard.counter('flow_ended')]).toEqual([0, aors]);
});

it('R5626-7-01 bindings of a dead flow go in batches that a store takes, however long the records are', () => {
  const store = new FlakyStore((writes) => writes !== undefined && writes.length > LONG_BATCH);
  const alive = new Set([7]);
  const shard = new VirtualShard({ store, flows: { isAlive: (flow) => alive.has(flow) } });
  for (let i = 0; i < 100; i++) {
    const to = `<sip:u${i}@example.com>`;
    shard.send(register({ to, callId: `a${i}`, contacts: longContacts(`u${i}`) }));
    const phone = register({ to, callId: `b${i}`, contacts: ['<sip:phone@192.0.2.9:5060;transport=tcp>'] });
    shard.send(phone, { transport: TRANSPORT_TCP, flow: 7 });
  }
  alive.delete(7);
  shard.flowsEnded([7]);
  shard.advance(1);
  expect([store.failures, shard.counter('flow_ended'), store.bindings]).toEqual([0, 100, 700]);
});

it('R5626-7-01 a dead flow has its grace and no more, although the clock is set back', () => {
  const alive = new Set([7]);
  const shard = new VirtualShard({ policy: { flowGraceS: 30 }, flows: { isAlive: (flow) => alive.has(flow) } });
  const phone = register({ contacts: ['<sip:phone@192.0.2.9:5060;transport=tcp>'] });
  shard.send(phone, { transport: TRANSPORT_TCP, flow: 7 });
  alive.delete(7);
  shard.flowsEnded([7]);
  shard.now -= 86_400_000;
  shard.advance(29);
  expect(shard.counter('flow_ended')).toBe(0);
  shard.advance(2);
  expect(shard.counter('flow_ended')).toBe(1);
});

it('R5626-7-01 more bindings of before a start than are waited for at first go, all of them', () => {
  const store = new LogStore(new SimulatedLog(new SimulatedDisk(), 1 << 20), noCheckpoint);
  const before = new VirtualShard({ store, flows: { isAlive: () => true } });
  for (let flow = 1; flow <= 2000; flow++) {
    // Few connections of the first users, so that the queue turns; then more than it holds at first, at a look.
    const user = flow <= 512 ? flow >> 2 : Math.floor(flow / 10) + 100;
    const to = `<sip:u${user}@example.com>`;
    const phone = register({ to, callId: `${flow}`, contacts: [`<sip:p${flow}@192.0.2.9:5060;transport=tcp>`] });
    expect(before.send(phone, { transport: TRANSPORT_TCP, flow })?.status).toBe(200);
  }
  const after = new VirtualShard({ store, flows: { isAlive: () => false } });
  after.advance(5);
  expect([store.bindings, after.counter('flow_ended')]).toEqual([0, 2000]);
});
