import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Bell, createBellMemory, flagWake } from '../../src/shard/rings/bell.ts';
import { createRingMemory, RING_ANSWER, RING_MESSAGE, Ring } from '../../src/shard/rings/ring.ts';
import { createPeers } from '../../src/sip/sources.ts';
import { bundle } from '../support/bundle.ts';

const RING_BYTES = 1 << 18;

it('gives back what was pushed, in order, and refuses what does not fit: any mix of pushes and pops', () => {
  const source = new Uint8Array(200_000).map((_, i) => (i * 7919) >> 3);
  const peers = createPeers(1);
  const back = createPeers(1);
  const into = new Uint8Array(70_000);
  const step = fc.oneof(
    fc.record({ push: fc.nat(2000), from: fc.nat(1000) }),
    fc.record({ push: fc.integer({ min: 60_000, max: 65_535 }), from: fc.nat(1000) }),
    fc.record({ pops: fc.integer({ min: 1, max: 40 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = createRingMemory(RING_BYTES);
      const writer = new Ring(memory);
      const reader = new Ring(memory);
      const model: { from: number; length: number; port: number }[] = [];
      let port = 0;
      let held = 0;
      const popOne = () => {
        const expected = model.shift();
        expect(reader.empty).toBe(expected === undefined);
        const length = reader.pop(into, 8, back, 0);
        expect(length).toBe(expected?.length ?? -1);
        if (expected === undefined) return;
        held -= length + 56;
        expect(back.port[0]).toBe(expected.port);
        const same = Buffer.compare(
          into.subarray(8, 8 + length),
          source.subarray(expected.from, expected.from + length),
        );
        expect(same).toBe(0);
      };
      for (const step of steps) {
        if ('pops' in step) {
          for (let i = 0; i < step.pops; i++) popOne();
          continue;
        }
        const { push: length, from } = step;
        port = (port + 1) & 0xffff;
        const pushed = writer.push(RING_MESSAGE, source, from, from + length, peers, 0, port);
        // It may waste the end of the ring, less than the message that did not fit there, and no more.
        if (!pushed) {
          const waste = Math.max(length, ...model.map((message) => message.length)) + 56;
          expect(held + length + 56 + waste).toBeGreaterThan(RING_BYTES);
        } else {
          held += length + 56;
          expect(held - 8 * (model.length + 1)).toBeLessThanOrEqual(RING_BYTES);
          model.push({ from, length, port });
        }
      }
      while (model.length > 0) popOne();
      popOne();
    }),
    { numRuns: 100 },
  );
});

it('carries the whole row of the peer', () => {
  const memory = createRingMemory(RING_BYTES);
  const peers = createPeers(3);
  for (const column of Object.values(peers) as (Uint8Array | Uint16Array | Uint32Array)[]) {
    for (let i = 0; i < column.length; i++) column[i] = 0xdeadbeef + i * 31;
  }
  const back = createPeers(3);
  expect(new Ring(memory).push(RING_ANSWER, new Uint8Array([1, 2, 3]), 1, 3, peers, 2, 65_535)).toBe(true);
  const reader = new Ring(memory);
  const into = new Uint8Array(2);
  expect(reader.pop(into, 0, back, 1)).toBe(2);
  expect([...into]).toEqual([2, 3]);
  expect(reader.kind).toBe(RING_ANSWER);
  expect(back.port[1]).toBe(65_535);
  for (const column of ['family', 'transport', 'listener', 'flow', 'answeredByMain', 'node'] as const) {
    expect(back[column][1]).toBe(peers[column][2]);
  }
  for (const column of ['ip', 'local'] as const)
    expect(back[column].subarray(16, 32)).toEqual(peers[column].subarray(32));
});

it('goes on where it was for an end made anew, and past 2^31 bytes', () => {
  const memory = createRingMemory(RING_BYTES);
  const control = new Int32Array(memory);
  control[0] = 0x7fffff00; // published and taken so far
  control[16] = 0x7fffff00;
  const message = new Uint8Array(1000).fill(7);
  const peers = createPeers(1);
  for (let i = 0; i < 1000; i++) {
    expect(new Ring(memory).push(RING_MESSAGE, message, 0, 1000, peers, 0, i)).toBe(true);
    expect(new Ring(memory).pop(new Uint8Array(1000), 0, peers, 0)).toBe(1000);
    expect(peers.port[0]).toBe(i);
  }
});

it('carries every message to another thread, which misses no wake', async () => {
  const memory = createRingMemory(RING_BYTES);
  const bellMemory = createBellMemory();
  const reader = new Worker(await bundle('test/shard/ring-reader.mjs'), { workerData: { memory, bellMemory } });
  const report = once(reader, 'message');
  const ring = new Ring(memory);
  const bell = new Bell(bellMemory, flagWake(bellMemory));
  const peers = createPeers(1);
  const source = new Uint8Array(70_000).map((_, i) => (i * 31) >> 2);
  const hash = createHash('sha256');
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    const length = i % 500 === 0 ? 65_000 + (i % 535) : 1 + ((i * 613) % 1400);
    peers.ip.fill(i);
    peers.local.fill(i >> 8);
    peers.flow[0] = i * 65_537;
    peers.family[0] = 4;
    while (!ring.push(RING_MESSAGE, source, i % 100, (i % 100) + length, peers, 0, i)) {
      bell.ring();
      await new Promise((resolve) => setImmediate(resolve));
    }
    bell.ring();
    hash.update(source.subarray(i % 100, (i % 100) + length));
    hash.update(`1 0 0 4 0${i & 0xffff} ${peers.flow[0]} ${peers.ip} ${peers.local}`);
    // Now and then the reader shall fall asleep.
    if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  while (!ring.push(RING_MESSAGE, source, 0, 0, peers, 0, 0)) await new Promise((resolve) => setImmediate(resolve));
  bell.ring();
  const [seen] = await report;
  await reader.terminate();
  expect(seen).toEqual({ count, timeouts: 0, digest: hash.digest('hex') });
});
