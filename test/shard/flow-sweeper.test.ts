// Bindings whose connection has ended, where the disk fails meanwhile: they go once it holds again, and are not looked for without a pause until then.

import { expect, it } from 'vitest';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { FlakyStore } from '../support/flaky-store.ts';
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
