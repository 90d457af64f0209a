// Commits that the store settles later than they are handed over: what is answered when, and from what.

import { describe, expect, it } from 'vitest';
import { BindingEvents } from '../../src/shard/observe/binding-events.ts';
import { createEventMemory, EventWriter } from '../../src/shard/observe/event-ring.ts';
import { createHistoryMemory } from '../../src/shard/observe/history.ts';
import { aorAt, changeAt, entriesIn, HistoryCursor } from '../../src/shard/observe/history-reader.ts';
import { Bell, createBellMemory } from '../../src/shard/rings/bell.ts';
import { SLOT_COUNT } from '../../src/sip/parser/slab.ts';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { LateStore } from '../support/late-store.ts';
import { request as requestOf } from '../support/requests.ts';
import { register, VirtualShard, type VirtualShardOptions } from '../support/virtual-shard.ts';

const CONTACT = '<sip:alice@192.0.2.9>';

function open(options: VirtualShardOptions = {}): { store: LateStore; shard: VirtualShard } {
  const store = new LateStore();
  return { store, shard: new VirtualShard({ ...options, store }) };
}

/** What has settled meanwhile leaves with the next batch. */
const next = (shard: VirtualShard): (number | string)[][] =>
  shard.batch([]).map(({ status, header }) => [status, header('Call-ID')[0], Number.parseInt(header('CSeq')[0], 10)]);

describe('a store that settles later', () => {
  it('R3261-10.3-33 lets a 200 leave once what it says holds, and drops retransmissions until then', () => {
    const { store, shard } = open();
    const request = register({ contacts: [CONTACT] });
    expect(shard.batch([request])).toEqual([]);
    expect(store.bindings).toBe(0);
    expect(shard.batch([request])).toEqual([]);
    expect(shard.counter('dropped_in_progress')).toBe(1);
    expect(shard.counter('ok')).toBe(0);
    store.settle();
    const [answer] = shard.batch([]);
    expect([answer.status, answer.contacts.map(({ uri }) => uri)]).toEqual([200, ['sip:alice@192.0.2.9']]);
    expect([store.bindings, shard.counter('registered'), shard.counter('ok')]).toEqual([1, 1, 1]);
    expect(shard.send(request)?.text).toBe(answer.text);
  });

  it('R3261-10.3-39 decides the next batches by what is in flight, and answers in order', () => {
    const { store, shard } = open();
    const ask = (cseq: number, contacts: string[] = []) => shard.batch([register({ cseq, contacts })]);
    ask(1, [CONTACT]);
    ask(2, ['<sip:second@192.0.2.9>']);
    ask(3, [`${CONTACT};expires=0`]);
    ask(4); // a fetch writes nothing, and waits for what it lists
    expect(store.waiting.length).toBe(3);
    store.settle(1);
    expect(next(shard)).toEqual([[200, 'call-1', 1]]);
    store.settle();
    const answers = shard.batch([]);
    expect(answers.map(({ contacts }) => contacts.map(({ uri }) => uri))).toEqual([
      ['sip:second@192.0.2.9', 'sip:alice@192.0.2.9'].sort(),
      ['sip:second@192.0.2.9'],
      ['sip:second@192.0.2.9'],
    ]);
    expect([store.aors, store.bindings]).toEqual([1, 1]);
  });

  it('sees a plain refresh in flight, and an older CSeq behind it', () => {
    const { store, shard } = open();
    shard.batch([register({ cseq: 1, contacts: [CONTACT] })]);
    store.settle();
    shard.batch([]);
    shard.now += 10_000;
    shard.batch([register({ cseq: 5, contacts: [CONTACT] })]);
    expect(shard.batch([register({ cseq: 3, contacts: [CONTACT] })])).toEqual([]);
    expect(shard.batch([register({ cseq: 6, contacts: [CONTACT] })])).toEqual([]);
    store.settle();
    expect(next(shard)).toEqual([
      [200, 'call-1', 5],
      [500, 'call-1', 3],
      [200, 'call-1', 6],
    ]);
    expect(shard.counter('bindings')).toBe(1);
  });

  it('R3261-10.3-32 answers 503 where what was handed over is lost, to all that was decided on it, and forgets it', () => {
    const { store, shard } = open();
    shard.batch([register({ cseq: 1, contacts: [CONTACT] })]);
    store.settle();
    expect(next(shard)).toEqual([[200, 'call-1', 1]]);
    shard.batch([register({ cseq: 2, contacts: ['<sip:lost@192.0.2.9>'] })]);
    shard.batch([register({ cseq: 3 })]);
    const bob = { to: '<sip:bob@example.com>', from: '<sip:bob@example.com>;tag=b', callId: 'bob' };
    shard.batch([register({ ...bob, cseq: 9, contacts: ['<sip:bob@192.0.2.9>'] })]);
    store.lose();
    expect(next(shard)).toEqual([
      [503, 'call-1', 2],
      [503, 'call-1', 3],
      [503, 'bob', 9],
    ]);
    expect([shard.counter('commit_failures'), shard.counter('registered'), store.bindings]).toEqual([1, 1, 1]);
    shard
      .batch([register({ cseq: 4 })])
      .map(({ contacts }) => expect(contacts.map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.9']));
    shard.batch([register({ ...bob, cseq: 10, contacts: ['<sip:bob@192.0.2.9>'] })]);
    store.settle();
    expect(next(shard)).toEqual([[200, 'bob', 10]]);
  });

  it('fails the batch at hand, too, where those before it are lost as it is committed', () => {
    const { store, shard } = open();
    shard.batch([register({ cseq: 1, contacts: [CONTACT] })]);
    store.lose();
    const answers = shard.batch([register({ cseq: 2, contacts: ['<sip:second@192.0.2.9>'] })]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(store.bindings).toBe(0);
  });

  it('what hangs on no commit leaves at once', () => {
    const { store, shard } = open();
    shard.batch([register({ contacts: [CONTACT] })]);
    const bad = register({ callId: 'bad', contacts: ['*'] });
    expect(shard.batch([bad, register({ callId: 'new', cseq: 2, contacts: ['<sip:x@192.0.2.9>'] })])).toMatchObject([
      { status: 400 },
    ]);
    store.settle();
    expect(next(shard).map(([status]) => status)).toEqual([200, 200]);
  });

  it('receives no more than has slots, however long nothing settles, and goes on afterwards', () => {
    const { store, shard } = open();
    let asked = 0;
    for (; shard.shard.firstSlot < SLOT_COUNT && asked < 1000; asked++) {
      const user = `sip:u${asked}@example.com`;
      shard.batch([register({ to: `<${user}>`, from: `<${user}>;tag=1`, callId: `${asked}`, contacts: [CONTACT] })]);
    }
    expect(asked).toBeLessThan(SLOT_COUNT);
    expect(shard.shard.msToNextTick(shard.now + 1)).toBe(0);
    store.settle();
    expect(next(shard).length).toBe(asked);
    expect(shard.shard.firstSlot).toBe(0);
    expect(store.aors).toBe(asked);
  });

  it('R3261-8.2.7-01 never sends what newer answers have overwritten meanwhile: the retransmission draws it', () => {
    const { store, shard } = open({ policy: { answerBytesMax: 1 } });
    const request = register({ contacts: [CONTACT] });
    shard.batch([request]);
    const long = (i: number) => `SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKlong${i};rport;x=${'y'.repeat(60_000)}`;
    for (let i = 0; i < 400; i++)
      expect(shard.batch([requestOf({ method: 'OPTIONS', via: long(i) })]).map(({ status }) => status)).toEqual([200]);
    store.settle();
    expect(shard.batch([])).toEqual([]);
    expect([shard.counter('dropped_send'), store.bindings]).toEqual([1, 1]);
    shard.batch([request]);
    store.settle();
    expect(next(shard)).toEqual([]);
    expect(shard.send(request)?.status).toBe(200);
  });

  it('R3261-10.3-39 removes nothing that ran out while no batch more can be in flight', () => {
    const { store, shard } = open();
    shard.batch([register({ contacts: [CONTACT], expires: 60 })]);
    store.settle();
    shard.batch([]);
    for (let i = 0; shard.shard.firstSlot < SLOT_COUNT; i++) {
      const user = `sip:u${i}@example.com`;
      shard.batch([register({ to: `<${user}>`, from: `<${user}>;tag=1`, callId: `${i}`, contacts: [CONTACT] })]);
    }
    const full = store.waiting.length;
    shard.now += 70_000;
    for (let i = 0; i < 3; i++) shard.batch([]);
    expect(store.waiting.length).toBe(full);
    store.settle();
    shard.batch([]);
    shard.batch([]);
    store.settle();
    shard.batch([]);
    expect(shard.counter('expired')).toBe(1);
  });

  it('tells events, and counts what ran out, when it is settled', async () => {
    const memory = createEventMemory();
    const bell = createBellMemory();
    const events = new BindingEvents([memory], bell, () => {});
    const told: string[] = [];
    events.subscribe((event) => told.push(event.type));
    const { store, shard } = open({ events: new EventWriter(memory, new Bell(bell, () => events.wake())) });
    shard.batch([register({ contacts: [CONTACT], expires: 60 })]);
    events.drain();
    expect(told).toEqual([]);
    store.settle();
    shard.batch([]);
    events.drain();
    expect(told).toEqual(['registered']);
    shard.advance(70);
    expect([shard.counter('expired'), store.waiting.length > 0]).toEqual([0, true]);
    store.settle();
    shard.batch([]);
    events.drain();
    expect([told.at(-1), told.length, shard.counter('expired'), store.bindings]).toEqual(['expired', 2, 1, 0]);
  });

  it('keeps what a refresh in flight prolongs, though the store still calls it over', () => {
    const { store, shard } = open();
    shard.batch([register({ cseq: 1, contacts: [CONTACT], expires: 60 })]);
    store.settle();
    shard.batch([]);
    shard.now += 59_000;
    shard.batch([register({ cseq: 2, contacts: [CONTACT], expires: 60 })]);
    shard.advance(10);
    expect(store.waiting.length).toBe(1);
    store.settle();
    expect(next(shard)).toEqual([[200, 'call-1', 2]]);
    shard.advance(5);
    expect([shard.counter('bindings'), shard.counter('expired')]).toEqual([1, 0]);
  });

  it('R5626-7-01 tracks a connection once its binding is settled, and looks again where the removal is lost', () => {
    const alive = new Set([7]);
    const { store, shard } = open({ flows: { isAlive: (flow) => alive.has(flow) } });
    const contacts = ['<sip:alice@192.0.2.9:5060;transport=tcp>'];
    shard.batch([register({ contacts })], { transport: TRANSPORT_TCP, flow: 7 });
    store.settle();
    shard.batch([]);
    alive.delete(7);
    shard.flowsEnded([7]);
    shard.batch([]);
    expect([store.waiting.length, store.bindings]).toEqual([1, 1]);
    store.lose();
    shard.batch([]);
    shard.advance(2);
    expect(store.waiting.length).toBe(1);
    store.settle();
    shard.batch([]);
    expect([store.bindings, shard.counter('flow_ended')]).toEqual([0, 1]);
  });

  it('writes the history when it is settled', () => {
    const history = createHistoryMemory(1 << 14);
    const { store, shard } = open({ history });
    const cursor = new HistoryCursor(history);
    const taken = () => {
      const { bytes } = cursor.take();
      return Array.from(entriesIn(bytes), (at) => [changeAt(bytes, at).type, aorAt(bytes, at)]);
    };
    shard.batch([register({ contacts: [CONTACT] })]);
    shard.batch([register({ cseq: 2, contacts: [CONTACT], expires: 0 })]);
    expect(taken()).toEqual([]);
    store.settle();
    shard.batch([]);
    expect(taken()).toEqual([
      ['registered', 'alice@example.com'],
      ['unregistered', 'alice@example.com'],
    ]);
    expect(taken()).toEqual([]);
  });
});
