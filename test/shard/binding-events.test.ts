// Binding events: what is told of which change, that it is told after the commit alone, and what happens when nobody keeps up.

import { afterEach, describe, expect, it } from 'vitest';
import { type BindingEvent, BindingEvents, type LostEvents } from '../../src/shard/observe/binding-events.ts';
import { createEventMemory, EventWriter } from '../../src/shard/observe/event-ring.ts';
import { Bell, createBellMemory } from '../../src/shard/rings/bell.ts';
import { FlakyStore } from '../support/flaky-store.ts';
import { register, VirtualShard, type VirtualShardOptions } from '../support/virtual-shard.ts';

type Told = BindingEvent | LostEvents;

let stop: (() => void) | undefined;
afterEach(() => stop?.());

/** A shard whose events are gathered in `told`, as they come. */
function listening(options: VirtualShardOptions & { ringBytes?: number } = {}) {
  const memory = createEventMemory(options.ringBytes ?? 1 << 20);
  const bellMemory = createBellMemory();
  const failures: unknown[] = [];
  const events = new BindingEvents([memory], bellMemory, (error) => failures.push(error));
  const writer = new EventWriter(memory, new Bell(bellMemory, () => events.wake()));
  const shard = new VirtualShard({ ...options, events: writer });
  const told: Told[] = [];
  stop = events.subscribe((event) => told.push(event));
  const lines = (): string[] => {
    events.drain();
    return told.splice(0).map((event) => {
      if (event.type === 'lost') return `lost ${event.count}`;
      return `${event.type} ${event.aor} ${event.binding.uri} ${event.binding.expires}`;
    });
  };
  return { shard, events, told, lines, failures };
}

const ALICE = 'alice@example.com';
const [ONE, TWO, THREE] = ['sip:1@192.0.2.1', 'sip:2@192.0.2.2', 'sip:3@192.0.2.3'];
const from = (...uris: string[]): string[] => uris.map((uri) => `<${uri}>`);

describe('binding events', () => {
  it('tell of every change in its order, with what a listener needs to know of it', () => {
    const { shard, told, lines, events } = listening();
    const source = { ip: '192.0.2.77', port: 5099 };
    shard.send(
      register({ contacts: ['"A" <sip:1@192.0.2.1>;q=0.5;audio;methods="INVITE,BYE"'], expires: 600 }),
      source,
    );
    events.drain();
    expect(told[0]).toMatchObject({
      type: 'registered',
      shard: 0,
      sequence: 1,
      at: shard.now,
      aor: ALICE,
      binding: {
        uri: ONE,
        display: '"A"',
        q: 0.5,
        expires: 600,
        expiresAt: shard.now + 600_000,
        registeredAt: shard.now,
        refreshedAt: shard.now,
        source: { address: '192.0.2.77', port: 5099, transport: 'udp' },
        received: 'sip:192.0.2.77:5099;transport=udp',
        capabilities: { audio: true, methods: 'INVITE,BYE' },
        params: {},
        callId: 'call-1',
        cseq: 1,
      },
    });
    told.length = 0;
    shard.now += 10_000;
    shard.send(register({ cseq: 2, contacts: from(ONE, TWO), expires: 300 }));
    shard.send(register({ cseq: 3, contacts: [`<${TWO}>;expires=0`, `<${THREE}>;expires=60`] }));
    expect(lines()).toEqual([
      `refreshed ${ALICE} ${ONE} 300`,
      `registered ${ALICE} ${TWO} 300`,
      `unregistered ${ALICE} ${TWO} 300`,
      `registered ${ALICE} ${THREE} 60`,
    ]);
    shard.advance(61);
    expect(lines()).toEqual([`expired ${ALICE} ${THREE} 0`]);
    shard.send(register({ cseq: 4, contacts: ['*'], expires: 0 }));
    expect(lines()).toEqual([`unregistered ${ALICE} ${ONE} 239`]);
    shard.send(register({ cseq: 5 }));
    expect(lines()).toEqual([]);
  });

  it('tell of bindings that made room, and of those a request finds run out', () => {
    const { shard, lines } = listening({ policy: { contactsPerAorMax: 1 } });
    shard.send(register({ callId: 'a', contacts: from(ONE), expires: 60 }));
    shard.send(register({ callId: 'b', contacts: from(TWO), expires: 60 }));
    expect(lines().slice(1)).toEqual([`evicted ${ALICE} ${ONE} 60`, `registered ${ALICE} ${TWO} 60`]);
    shard.now += 60_000; // the request is first, before the wheel
    shard.send(register({ callId: 'c', contacts: from(THREE), expires: 60 }));
    expect(lines()).toEqual([`expired ${ALICE} ${TWO} 0`, `registered ${ALICE} ${THREE} 60`]);
  });

  it('tell of parked bindings that made room', () => {
    const open = new Set([7]);
    const flows = { isAlive: (flow: number) => open.has(flow) };
    const { shard, lines } = listening({ flows, policy: { contactsPerAorMax: 1, flowGraceS: 30 } });
    const flow = '<sip:alice@192.0.2.9:5060;transport=tcp>';
    shard.send(register({ callId: 'a', contacts: [flow], expires: 60 }), { transport: 1, flow: 7 });
    open.clear();
    shard.send(register({ callId: 'b', contacts: from(TWO), expires: 60 }));
    expect(lines().slice(1)).toEqual([
      `evicted ${ALICE} sip:alice@192.0.2.9:5060;transport=tcp 60`,
      `registered ${ALICE} ${TWO} 60`,
    ]);
  });

  it('are told after the commit, and never when it fails', () => {
    let fails = true;
    const { shard, told, lines } = listening({ store: new FlakyStore(() => fails) });
    expect(shard.send(register({ contacts: from(ONE) }))?.status).toBe(503);
    expect(lines()).toEqual([]);
    fails = false;
    shard.send(register({ cseq: 2, contacts: from(TWO) }));
    expect(lines()).toEqual([`registered ${ALICE} ${TWO} 3600`]);
    expect(told).toEqual([]);
  });

  it('are not gathered while nobody listens, and start with the next change when somebody does', () => {
    const { shard, lines, events, told } = listening();
    stop?.();
    shard.send(register({ contacts: from(ONE) }));
    expect(lines()).toEqual([]);
    stop = events.subscribe((event) => told.push(event));
    shard.send(register({ cseq: 2, contacts: from(ONE) }));
    expect(lines()).toEqual([`refreshed ${ALICE} ${ONE} 3600`]);
  });

  it('say how many were lost where a listener is too slow, and go on behind them', () => {
    const { shard, told, events } = listening({ ringBytes: 4096 });
    const batch = (n: number): string[] =>
      Array.from({ length: 50 }, (_, i) =>
        register({ to: `<sip:u${n}-${i}@example.com>`, callId: `${n}-${i}`, contacts: from(ONE) }),
      );
    shard.batch(batch(1));
    events.drain();
    const lost = told.filter((event) => event.type === 'lost').reduce((sum, event) => sum + event.count, 0);
    const first = told.filter((event) => event.type !== 'lost');
    expect(first.length + lost).toBe(50);
    expect(lost).toBe(24);
    expect(first.map(({ sequence }) => sequence)).toEqual(first.map((_, i) => i + 1));
    told.length = 0;
    shard.send(register({ contacts: from(TWO) }));
    events.drain();
    expect(told).toMatchObject([{ type: 'registered', sequence: 51 }]);
  });

  it('go round their ring many times without mixing', () => {
    const { shard, told, events } = listening({ ringBytes: 4096 });
    for (let n = 0; n < 500; n++) {
      const uri = `sip:${'x'.repeat(1 + (n % 97))}@192.0.2.1`;
      shard.send(register({ to: `<sip:user${n}@example.com>`, callId: `c${n}`, contacts: from(uri) }));
      events.drain();
      expect(told.pop()).toMatchObject({ aor: `user${n}@example.com`, sequence: n + 1, binding: { uri } });
    }
    expect(told).toEqual([]);
  });

  it('survive a listener that throws, which is told to the log', () => {
    const { shard, events, lines, failures } = listening();
    events.subscribe(() => {
      throw new Error('mine');
    });
    shard.send(register({ contacts: from(ONE) }));
    expect(lines().length).toBe(1);
    expect(String(failures)).toMatch(/mine/);
  });
});
