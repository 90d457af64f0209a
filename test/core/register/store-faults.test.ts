// A store that fails or holds nonsense: nothing untrue is said, nothing is half done, the next request works.

import { describe, expect, it } from 'vitest';
import { URI_LENGTH } from '../../../src/core/binding/image-layout.ts';
import type { LocationStore } from '../../../src/location/location-store.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength, sealRecord } from '../../../src/location/record.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import { FlakyStore } from '../../support/flaky-store.ts';
import { answered, bindings, request, statusOf, uris } from '../../support/requests.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.1>';
const B = '<sip:alice@192.0.2.2>';
const BOB = '<sip:bob@example.com>';

function flaky(): { shard: VirtualShard; fail: (times: number) => void; store: FlakyStore } {
  let left = 0;
  const store = new FlakyStore(() => left-- > 0);
  return {
    shard: new VirtualShard({ store }),
    store,
    fail: (times) => {
      left = times;
    },
  };
}

describe('a commit that fails', () => {
  it('R3261-10.3-33 makes 503 of every answer of the batch that hung on it, and of no other', () => {
    const { shard, fail } = flaky();
    shard.send(register({ to: BOB, callId: 'bob', contacts: [B] }));
    fail(1);
    const answers = shard.batch([
      register({ callId: 'add', contacts: [A] }),
      register({ callId: 'see' }), // would have listed what did not come to be
      register({ callId: 'add', cseq: 1, from: '<sip:a@b>;tag=2', contacts: [A] }), // would draw 500 for its CSeq, against A
      register({ callId: 'brief', contacts: [`${B};expires=3`] }), // hangs on nothing: no binding was looked at
      register({ to: BOB, callId: 'fetch' }),
      request({ method: 'OPTIONS' }),
      request({ method: 'BYE' }),
      register({ to: BOB, callId: 'bob', cseq: 2, contacts: [`${B};expires=0`] }),
      register({ callId: 'x', contacts: ['*'] }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 423, 200, 200, 405, 503, 400]);
    expect(answers[0].phrase).toBe('Service Unavailable');
    for (const answer of answers.filter(({ status }) => status === 503))
      expect(Number(answer.header('Retry-After')[0]), 'spread over some seconds').toSatisfy(
        (s: number) => s >= 10 && s <= 25,
      );
    expect(answers[0].header('CSeq')).toEqual(['1 REGISTER']);
    expect(answers[0].contacts).toEqual([]);
    expect(uris(shard)).toEqual([]);
    expect(bindings(shard, BOB)).toEqual([{ uri: 'sip:alice@192.0.2.2', expires: 3600 }]);
    expect(shard.counter('commit_failures')).toBe(1);
    expect([shard.counter('bindings'), shard.counter('aors'), shard.counter('registered')]).toEqual([1, 1, 1]);
    expect(shard.log).toEqual(['commit failed']);
  });

  it('R3261-10.3-33 gives retransmissions the same 503, and the next request its due', () => {
    const { shard, fail } = flaky();
    fail(1);
    const text = register({ contacts: [A] });
    const failed = answered(shard, text);
    expect(failed.status).toBe(503);
    shard.now += 500;
    expect(answered(shard, text).text).toBe(failed.text);
    expect(uris(shard)).toEqual([]);
    expect(statusOf(shard, { cseq: 2, contacts: [A] })).toBe(200);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.1']);
    shard.now += 31_000;
    expect(answered(shard, text).text).toBe(failed.text);
  });

  it('R3261-10.3-33 keeps the To tag, and the address the answer goes to', () => {
    const { shard, fail } = flaky();
    const texts = [1, 2].map((cseq) =>
      register({ cseq, via: `SIP/2.0/UDP h:507${cseq};branch=z9hG4bK${cseq}`, contacts: [A] }),
    );
    fail(1);
    const [first, second] = shard.batch(texts);
    expect([first.port, second.port]).toEqual([5071, 5072]);
    expect(first.header('Via')).toEqual(['SIP/2.0/UDP h:5071;branch=z9hG4bK1;received=192.0.2.9']);
    const whole = flaky().shard.batch(texts);
    expect([first, second].map((answer) => answer.header('To'))).toEqual(whole.map((answer) => answer.header('To')));
  });

  it('R3261-10.3-33 leaves what was there as it was: no removal, no refresh, no CSeq', () => {
    const { shard, fail, store } = flaky();
    shard.send(register({ cseq: 5, contacts: [A, B] }));
    const before = storedBindings(store);
    for (const options of [
      { contacts: ['*'], expires: 0 },
      { contacts: [`${A};expires=60`] },
      { contacts: [`${A};expires=0`, '<sip:c@192.0.2.3>'] },
    ]) {
      fail(1);
      expect(statusOf(shard, { cseq: 6, from: `<sip:a@b>;tag=${JSON.stringify(options).length}`, ...options })).toBe(
        503,
      );
      expect(storedBindings(store)).toEqual(before);
    }
    expect(statusOf(shard, { cseq: 6, contacts: [A] })).toBe(200);
  });

  it('R3261-10.3-33 R3261-10.3-39 does not stop bindings from running out later', () => {
    const { shard, fail, store } = flaky();
    shard.send(register({ contacts: [`${A};expires=60`] }));
    shard.send(register({ to: BOB, callId: 'bob', contacts: [`${B};expires=60`] }));
    fail(1);
    expect(statusOf(shard, { cseq: 2, contacts: [`${A};expires=600`] })).toBe(503);
    shard.advance(70);
    expect([...storedBindings(store)]).toEqual([]);
    expect([shard.counter('bindings'), shard.counter('aors'), shard.counter('expired')]).toEqual([0, 0, 2]);
  });

  it('R3261-10.3-39 in the sweep itself is made up for a second later', () => {
    const { shard, fail, store } = flaky();
    shard.send(register({ contacts: [`${A};expires=60`, `${B};expires=90`] }));
    fail(8);
    shard.advance(64);
    expect(shard.counter('expired')).toBe(0);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.2']);
    shard.advance(8);
    expect([...storedBindings(store).values()].flat().map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.2']);
    expect([shard.counter('bindings'), shard.counter('expired')]).toEqual([1, 1]);
    shard.advance(30);
    expect([shard.counter('bindings'), shard.counter('aors'), shard.shard.msToNextTick(shard.now)]).toEqual([0, 0, -1]);
  });

  it('is told where it does not fail, but hangs', () => {
    const quick = new VirtualShard({ batchMs: 2900 });
    const slow = new VirtualShard({ batchMs: 3000 });
    for (const shard of [quick, slow]) shard.send(register({ contacts: [A] }));
    expect([quick.log, slow.log]).toEqual([[], ['a batch hung, most likely for its disk']]);
  });

  it('is told once a minute however often it comes, shows in a gauge, and nobody has to ask for it to end', () => {
    const { shard, fail } = flaky();
    const said = (event: string) => shard.log.filter((line) => line === event).length;
    fail(Number.POSITIVE_INFINITY);
    for (let n = 0; n < 300; n++) {
      expect(answered(shard, register({ callId: `c${n}`, contacts: [A] })).status).toBe(503);
      shard.advance(0.5);
    }
    expect([said('commit failed'), shard.counter('commits_failing')]).toEqual([3, 1]);
    expect(shard.counter('commit_failures')).toBeGreaterThanOrEqual(300);
    expect(uris(shard), 'what needs no commit is answered').toEqual([]);
    shard.advance(120);
    expect([said('commit failed'), said('commits hold again')]).toEqual([5, 0]);
    fail(0);
    shard.advance(10);
    expect([shard.counter('commits_failing'), said('commits hold again')]).toEqual([0, 1]);
    expect(shard.shard.msToNextTick(shard.now), 'nothing is tried any more').toBe(-1);
    expect(statusOf(shard, { callId: 'again', contacts: [A] })).toBe(200);
    expect(said('commit failed')).toBe(5);
  });

  it('now and then, small batches between large ones, keeps the gauge up and the log short', () => {
    const { shard, fail } = flaky();
    for (let n = 0; n < 100; n++) {
      fail(n % 2);
      expect(answered(shard, register({ callId: `c${n}`, contacts: [A], expires: 60 + n })).status).toBe(
        n % 2 ? 503 : 200,
      );
      shard.now += 200;
      expect(shard.counter('commits_failing')).toBe(n > 0 ? 1 : 0);
    }
    expect(shard.log).toEqual(['commit failed']);
  });
});

describe('a load that fails', () => {
  it('R3261-10.3-33 draws 500, and nothing is written over what could not be read', () => {
    const { shard, store } = flaky();
    shard.send(register({ cseq: 1, contacts: [A] }));
    const before = storedBindings(store);
    store.unreadable = true;
    for (const options of [{ contacts: [B] }, { contacts: ['*'], expires: 0 }, {}])
      expect(statusOf(shard, { callId: `other-${JSON.stringify(options).length}`, ...options })).toBe(500);
    expect(answered(shard, request({ method: 'OPTIONS', uri: 'sip:alice@example.com' })).status).toBe(500);
    expect(storedBindings(store)).toEqual(before);
    store.unreadable = false;
    expect(statusOf(shard, { cseq: 2, contacts: [B] })).toBe(200);
    expect(uris(shard)).toHaveLength(2);
    expect([shard.counter('load_failures'), shard.counter('bindings'), shard.counter('aors')]).toEqual([4, 2, 1]);
  });

  it('R3261-10.3-39 in the sweep is made up for later', () => {
    const { shard, store } = flaky();
    shard.send(register({ contacts: [`${A};expires=60`] }));
    store.unreadable = true;
    shard.advance(100);
    store.unreadable = false;
    shard.advance(3);
    expect([...storedBindings(store)]).toEqual([]);
    expect([shard.counter('bindings'), shard.counter('aors'), shard.counter('expired')]).toEqual([0, 0, 1]);
  });
});

/** Puts a changed copy of the only record in place of it. */
function damage(store: LocationStore, change: (record: Uint8Array) => Uint8Array): void {
  const writes = new WriteSet();
  store.scan((key, record) => {
    const changed = change(Uint8Array.from(record));
    const words = new Uint32Array(Uint8Array.from(key).buffer);
    writes.bytes.set(changed, writes.reserve(changed.length));
    writes.put(words[0], words[1], words[2], words[3], changed.length);
  });
  store.commit(writes, 0);
}

const DAMAGE: readonly (readonly [string, (record: Uint8Array) => Uint8Array])[] = [
  ['a flipped bit', (r) => r.with(40, r[40] ^ 1)],
  ['a missing end', (r) => r.subarray(0, r.length - 5)],
  ['an unknown version', (r) => r.with(0, 99)],
  ['only a header', (r) => r.subarray(0, RECORD_HEADER_BYTES - 1)],
];

const NONSENSE: readonly (readonly [string, (record: Uint8Array, images: number) => Uint8Array])[] = [
  ['an image longer than the record', (r, at) => r.with(at, 0xff).with(at + 1, 0xff)],
  ['an image of no length', (r, at) => r.with(at, 0).with(at + 1, 0)],
  ['texts longer than the image', (r, at) => r.with(at + URI_LENGTH, 0xff).with(at + URI_LENGTH + 1, 0xff)],
  ['half an image', (r) => r.subarray(0, r.length - 10)],
];

describe('a damaged record', () => {
  it.each(DAMAGE)(
    'R3261-10.3-33 with %s is as if it were not there, counted, and can be registered over',
    (_, change) => {
      const store = new MemoryStore();
      const shard = new VirtualShard({ store });
      shard.send(register({ cseq: 5, contacts: [A] }));
      damage(store, change);
      expect(uris(shard)).toEqual([]);
      expect(shard.counter('quarantined')).toBe(1);
      expect(shard.log).toEqual(['damaged bindings were met']);
      expect(statusOf(shard, { cseq: 6, contacts: [B] })).toBe(200);
      expect(uris(shard)).toEqual(['sip:alice@192.0.2.2']);
    },
  );

  it.each(DAMAGE)('R3261-10.3-33 with %s does not keep the rest from coming up after a restart', (_, change) => {
    const store = new MemoryStore();
    const before = new VirtualShard({ store });
    before.send(register({ contacts: [A] }));
    damage(store, change);
    before.send(register({ to: BOB, callId: 'bob', contacts: [B] }));
    const after = new VirtualShard({ store, now: before.now });
    expect(uris(after, BOB)).toEqual(['sip:alice@192.0.2.2']);
    expect(uris(after)).toEqual([]);
    expect([after.counter('quarantined'), after.counter('bindings'), after.counter('aors')]).toEqual([1, 1, 1]);
  });

  it.each(NONSENSE)('R3261-10.3-33 with a sound checksum over %s is worth no more', (_, change) => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    shard.send(register({ contacts: [A] }));
    damage(store, (record) => {
      const changed = change(record, RECORD_HEADER_BYTES + recordAorLength(record, 0));
      sealRecord(changed, 0, changed.length);
      return changed;
    });
    expect(uris(shard)).toEqual([]);
    const restarted = new VirtualShard({ store, now: shard.now });
    for (const it of [shard, restarted]) {
      expect(answered(it, request({ method: 'OPTIONS', uri: 'sip:alice@example.com' })).status).toBe(404);
      it.advance(3700);
    }
    expect(statusOf(shard, { cseq: 2, contacts: [B] })).toBe(200);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.2']);
  });

  it('R3261-10.3-33 that is longer than any record can be counts as none', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    shard.send(register({ to: BOB, callId: 'bob', contacts: [B] }));
    shard.send(register({ contacts: [A] }));
    expect(uris(shard)).toHaveLength(1); // the shard's buffer now holds this record
    store.load = () => 70_000;
    expect(uris(shard)).toEqual([]);
    expect(statusOf(shard, { cseq: 2, contacts: [B] })).toBe(200);
  });
});
