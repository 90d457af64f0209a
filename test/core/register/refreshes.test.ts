// What is no refresh although an AOR has one binding and the request names it as it is: the registrar answers a refresh from the binding
// alone, and must not take anything else for one.

import { describe, expect, it } from 'vitest';
import { answered, bindings, statusOf, uris } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.1>';
const B = '<sip:alice@192.0.2.2>';
const [URI_A, URI_B] = ['sip:alice@192.0.2.1', 'sip:alice@192.0.2.2'];

/** A shard where alice has the binding A alone. */
function bound(): VirtualShard {
  const shard = new VirtualShard();
  expect(statusOf(shard, { cseq: 5, contacts: [A], expires: 600 })).toBe(200);
  return shard;
}

describe('no refresh is', () => {
  it('R3261-10.3-40 a request with another contact behind the one that is bound', () => {
    const shard = bound();
    expect(statusOf(shard, { cseq: 6, contacts: [A, B], expires: 600 })).toBe(200);
    expect(uris(shard)).toEqual([URI_A, URI_B]);
  });

  it('R3261-10.2.2-01 one with an interval of zero, by header or parameter', () => {
    for (const wish of [{ contacts: [A], expires: 0 }, { contacts: [`${A};expires=0`] }]) {
      const shard = bound();
      expect(answered(shard, register({ cseq: 6, ...wish })).contacts).toEqual([]);
      expect([uris(shard), shard.counter('bindings'), shard.counter('unregistered')]).toEqual([[], 0, 1]);
    }
  });

  it('R3261-10.3-18 a "*"', () => {
    const shard = bound();
    expect(answered(shard, register({ cseq: 6, contacts: ['*'], expires: 0 })).contacts).toEqual([]);
    expect(uris(shard)).toEqual([]);
  });

  it.each([5, 4])('R3261-10.3-30 one of the same Call-ID with CSeq %i, not higher', (cseq) => {
    const shard = bound();
    shard.now += 60_000;
    const from = '<sip:alice@example.com>;tag=late';
    expect(statusOf(shard, { cseq, from, contacts: [A], expires: 600 })).toBe(500);
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 540 }]);
  });

  it('one of a binding that has run out: it is made anew', () => {
    const shard = new VirtualShard();
    expect(statusOf(shard, { cseq: 5, contacts: [A], expires: 60 })).toBe(200);
    shard.now += 60_000;
    expect(statusOf(shard, { cseq: 6, contacts: [A], expires: 60 })).toBe(200);
    shard.now += 30_000;
    expect(statusOf(shard, { cseq: 7, contacts: [A], expires: 60 })).toBe(200);
    expect([shard.counter('registered'), shard.counter('expired'), shard.counter('refreshed')]).toEqual([2, 1, 1]);
  });
});
