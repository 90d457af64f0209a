// REGISTERs with bytes flipped, cut out and put in: no throw, no endless loop, and no change of a binding that a 200 did
// not announce.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const TEXTS = [
  register({
    callId: 'm1@host',
    cseq: 77,
    contacts: ['"Al, \\"x\\"" <sip:alice@192.0.2.1:5062;transport=udp;x=%41?s=y>;q=0.5;expires=600', 'sip:b@192.0.2.2'],
    expires: 900,
    extra: ['User-Agent: phone/1.0', 'Supported: path, outbound', 'Allow: INVITE,\r\n ACK'],
  }),
  register({ callId: 'm2', cseq: 78, contacts: ['*'], expires: 0 }),
  register({ callId: 'm3', contacts: ['<sip:alice@[2001:db8::1]>;+sip.instance="<urn:uuid:1>";reg-id=1;expires=0'] }),
  register({
    callId: 'm4',
    cseq: 3,
    via: 'SIP / 2.0 / UDP h.example.com : 4000;ttl=16;rport;received=1.2.3.4;branch=1',
  }),
];

const INTERESTING = [
  '\r\n',
  '\r\n ',
  '<',
  '>',
  '"',
  '\\',
  ';',
  ',',
  '*',
  '%',
  '%00',
  '@',
  ':',
  '=',
  '?',
  '[',
  ']',
  '\0',
  '\xff',
];
const WORDS = [
  ';expires=0',
  ';q=',
  'sip:',
  'Contact: *\r\n',
  'Expires: 0\r\n',
  'To: ',
  'Content-Length: 9\r\n',
  '4294967296',
];

/** In ten-thousandths of the message's length. */
const where = fc.nat(9999);
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('flip'), where, value: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut'), where, value: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('end'), where, value: fc.constant(0) }),
  fc.record({ kind: fc.constant('insert'), where, value: fc.nat(INTERESTING.length + WORDS.length - 1) }),
  fc.record({ kind: fc.constant('repeat'), where, value: fc.integer({ min: 1, max: 300 }) }),
);

function mutated(text: string, mutations: readonly { kind: string; where: number; value: number }[]): string {
  let result = text;
  for (const { kind, where: share, value } of mutations) {
    const at = Math.floor((share / 10_000) * result.length);
    const [head, rest] = [result.slice(0, at), result.slice(at)];
    if (kind === 'flip') result = head + String.fromCharCode((rest.charCodeAt(0) || 0) ^ value) + rest.slice(1);
    if (kind === 'cut') result = head + rest.slice(value);
    if (kind === 'end') result = head;
    if (kind === 'insert') result = head + [...INTERESTING, ...WORDS][value] + rest;
    if (kind === 'repeat') result = head + rest.slice(0, value) + rest;
  }
  return result;
}

describe('mutated REGISTERs', () => {
  it('R3261-8.2-01 R3261-10.3-32 throw nothing and change nothing that a 200 does not announce', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store, policy: { domains: ['*'] } });
    const known = register({ contacts: ['<sip:alice@192.0.2.1:5062;transport=udp>', '<sip:c@192.0.2.3>'] });
    shard.send(known);
    let before = storedBindings(store);
    const statuses = new Map<number | undefined, number>();
    fc.assert(
      fc.property(fc.constantFrom(...TEXTS), fc.array(mutation, { minLength: 1, maxLength: 3 }), (text, mutations) => {
        shard.now += 40_000; // past Timer J, so that every message is decided anew
        shard.advance(1);
        before = storedBindings(store);
        const answer = shard.send(mutated(text, mutations));
        statuses.set(answer?.status, (statuses.get(answer?.status) ?? 0) + 1);
        const after = storedBindings(store);
        const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
          (aor) => JSON.stringify(before.get(aor)) !== JSON.stringify(after.get(aor)),
        );
        if (changed.length > 0) {
          expect(changed).toHaveLength(1);
          expect(answer?.status).toBe(200);
          const live = (after.get(changed[0]) ?? []).filter(({ expiresAt }) => expiresAt > shard.now);
          expect(answer?.contacts.map(({ expires }) => expires)).toEqual(
            live.map(({ expiresAt }) => Math.max(1, Math.floor((expiresAt - shard.now) / 1000))),
          );
        }
        if (answer !== undefined) expect(answer.status).toBeLessThan(600);
      }),
      { numRuns: 5000 },
    );
    // The property is worth something only where the messages reach all of the registrar.
    for (const status of [undefined, 200, 400]) expect(statuses.get(status) ?? 0).toBeGreaterThan(100);
    const gauge = [...storedBindings(store).values()].reduce((sum, list) => sum + list.length, 0);
    expect(shard.counter('bindings')).toBe(gauge);
  });

  it('R3261-8.2-01 random bytes draw at most a refusal', () => {
    const shard = new VirtualShard();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.constantFrom('', 'REGISTER sip:example.com SIP/2.0\r\n'),
        (bytes, head) => {
          const answer = shard.send(Buffer.concat([Buffer.from(head), bytes]));
          if (answer !== undefined) expect(answer.status).toBeGreaterThanOrEqual(400);
        },
      ),
      { numRuns: 3000 },
    );
    expect(shard.counter('bindings')).toBe(0);
  });
});
