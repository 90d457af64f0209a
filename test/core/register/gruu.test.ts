// GRUUs (RFC 5627 §5): section 10 of the requirements, as far as it is the registrar's.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GRUU_INVALID, GRUU_NONE, GRUU_PUBLIC, GRUU_TEMPORARY, Gruus } from '../../../src/core/register/gruu.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { GruuReader } from '../../support/gruu-reader.ts';
import { answered, bindings, statusOf } from '../../support/requests.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import {
  type Answer,
  type RegisterOptions,
  register,
  VIRTUAL_SECRET,
  VirtualShard,
} from '../../support/virtual-shard.ts';

const UUID = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const OTHER = 'urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF';
const KNOWS = 'Supported: gruu';

function contact(host = '192.0.2.1', instance = UUID, scheme = 'sip'): string {
  return `<${scheme}:callee@${host}>;+sip.instance="<${instance}>"`;
}

function send(shard: VirtualShard, options: RegisterOptions = {}): Answer {
  return answered(shard, register({ contacts: [contact()], extra: [KNOWS], ...options }));
}

/** pub-gruu and temp-gruu of each contact in an answer. */
function gruusOf(answer: Answer): { pub: string | undefined; temp: string | undefined }[] {
  return answer.contacts.map(({ row }) => ({
    pub: /;pub-gruu="([^"]*)"/.exec(row)?.[1],
    temp: /;temp-gruu="([^"]*)"/.exec(row)?.[1],
  }));
}

function tempOf(answer: Answer, i = 0): string {
  const { temp } = gruusOf(answer)[i];
  if (temp === undefined) throw new Error(`no temp-gruu: ${answer.text}`);
  return temp;
}

/** What a URI is, and the contacts it leads to: what a lookup does with it. */
function lookup(shard: VirtualShard, uri: string, gruus?: Gruus): { kind: number; contacts: string[] } {
  const reader = new GruuReader(shard, gruus);
  const contacts = reader.lookup(uri).map((binding) => binding.uri);
  return { kind: reader.kind, contacts };
}

describe('the 200 to a REGISTER with an instance ID', () => {
  it('R5627-5.1-04 R5627-5.2-01 R5627-5.2-02 R5627-5.2-03 R5627-5.4-04 has both GRUUs for a client that knows them', () => {
    const answer = send(new VirtualShard(), { to: '<sip:Callee@Example.COM>' });
    const [{ pub, temp }] = gruusOf(answer);
    expect(pub).toBe(`sip:Callee@example.com;gr=${UUID}`);
    expect(temp).toMatch(/^sip:[A-Za-z0-9_-]{64}@example\.com;gr$/);
    expect(answer.contacts[0].row).toContain(`;+sip.instance="<${UUID}>"`);
    expect([answer.header('Require'), answer.header('Supported')]).toEqual([[], []]);
  });

  it('R5627-5.2-02 R5627-5.1-02 has none for others, and none for a contact without an instance', () => {
    const shard = new VirtualShard();
    expect(gruusOf(send(shard, { extra: [] }))).toEqual([{ pub: undefined, temp: undefined }]);
    send(shard, { callId: 'b', contacts: ['<sip:callee@192.0.2.2>'] });
    const both = gruusOf(send(shard, { callId: 'fetch', contacts: [] }));
    expect(both.map(({ pub, temp }) => [pub !== undefined, temp !== undefined])).toEqual([
      [true, true],
      [false, false],
    ]);
    const none = new VirtualShard({ policy: { gruu: 'off' } });
    expect(gruusOf(send(none))).toEqual([{ pub: undefined, temp: undefined }]);
  });

  it.each(['on', 'off'] as const)(
    'R5627-5.2-02 are as the policy of the domain wants it, where that of the others is %s',
    (others) => {
      const shard = new VirtualShard({
        policy: {
          domains: ['example.com', 'example.org'],
          gruu: others,
          byDomain: { 'example.org': { gruu: others === 'on' ? 'off' : 'on' } },
        },
      });
      const at = (domain: string, callId: string) =>
        gruusOf(send(shard, { requestUri: `sip:${domain}`, to: `<sip:alice@${domain}>`, callId }))[0].pub !== undefined;
      expect([at('example.com', 'a'), at('example.org', 'b')]).toEqual([others === 'on', others === 'off']);
    },
  );

  it('R5627-5.2-02 has the newest temporary GRUU of the instance at each of its contacts, as in RFC 5627 §9', () => {
    const shard = new VirtualShard();
    const first = send(shard, { callId: '1j9FpLxk3uxtm8tn@192.0.2.1' });
    shard.advance(100);
    const options = { callId: 'hf8asxzff8s7f@192.0.2.2', contacts: [contact('192.0.2.2')] };
    const [old, young] = gruusOf(send(shard, options));
    expect(old.pub).toBe(`sip:alice@example.com;gr=${UUID}`);
    expect([young.pub, young.temp]).toEqual([old.pub, old.temp]);
    expect(young.temp).not.toBe(tempOf(first));
    expect(tempOf(send(shard, { callId: 'fetch', contacts: [] }))).toBe(young.temp);
  });

  it('R5627-5.1-05 never repeats the GRUUs a client sends', () => {
    const shard = new VirtualShard();
    const sent = `${contact()};pub-gruu="sip:evil@example.com;gr=1";video;TEMP-GRUU = "sip:evil2@example.com;gr"`;
    const answer = send(shard, { contacts: [sent] });
    expect(answer.text).not.toContain('evil');
    expect(answer.contacts[0].row).toContain(';video;pub-gruu="sip:alice@example.com;gr=urn:uuid:');
  });

  it('R5630-5.2.1-01 has sips GRUUs for a sips contact', () => {
    const answer = send(new VirtualShard(), {
      requestUri: 'sips:example.com',
      contacts: [contact('192.0.2.1', UUID, 'sips')],
    });
    expect(gruusOf(answer)[0].pub).toBe(`sips:alice@example.com;gr=${UUID}`);
    expect(tempOf(answer)).toMatch(/^sips:/);
  });

  it('R5627-5.1-03 is 403 where the contact leads back to the AOR', () => {
    const shard = new VirtualShard();
    const instance = `;+sip.instance="<${UUID}>"`;
    const temp = tempOf(send(shard));
    const bob = tempOf(send(shard, { to: '<sip:bob@example.com>', callId: 'bob' }));
    const refused = ['sip:alice@example.com', `sip:%61lice@Example.com;gr=${UUID}`, temp, 'tel:+12145550102'];
    for (const [i, uri] of refused.entries()) {
      expect([uri, statusOf(shard, { cseq: i + 2, contacts: [`<${uri}>${instance}`] })]).toEqual([uri, 403]);
      expect([uri, statusOf(shard, { cseq: i + 20, contacts: [`<${uri}>${instance};expires=0`] })]).toEqual([uri, 200]);
    }
    const taken = ['sip:alice@example.com:5070', 'sip:bob@example.com', bob];
    for (const [i, uri] of taken.entries())
      expect([uri, statusOf(shard, { cseq: i + 50, contacts: [`<${uri}>${instance}`] })]).toEqual([uri, 200]);
    expect(statusOf(shard, { cseq: 90, contacts: ['<sip:alice@example.com>'] })).toBe(200);
  });

  it('R5627-5.1-03 is 403 for the request with such a contact alone, not for the next one', () => {
    const shard = new VirtualShard();
    const loop = `<tel:+12145550102>;+sip.instance="<${OTHER}>"`;
    expect(statusOf(shard, { contacts: [contact(), loop] })).toBe(403);
    expect(statusOf(shard, { cseq: 2, contacts: [contact()] })).toBe(200);
  });
});

describe('a public GRUU', () => {
  it('R5627-5.1-04 R5627-5.4-02 keeps the spelling of the instance; another one leads to the same contacts', () => {
    const shard = new VirtualShard();
    const pub = (options: RegisterOptions): string | undefined => gruusOf(send(shard, options)).at(-1)?.pub;
    const first = pub({}) ?? '';
    expect(first).toBe(`sip:alice@example.com;gr=${UUID}`);
    for (const uuid of [UUID.toUpperCase(), UUID.replace('urn:uuid', 'Urn:UuId')]) {
      const other = pub({ callId: uuid, contacts: [contact('192.0.2.1', uuid)] }) ?? '';
      expect(other).toBe(`sip:alice@example.com;gr=${uuid}`);
      for (const gruu of [first, other]) expect(lookup(shard, gruu).contacts).toEqual(['sip:callee@192.0.2.1']);
    }
    expect(pub({ callId: 'c', contacts: [contact('192.0.2.2', OTHER)] })).toBe(`sip:alice@example.com;gr=${OTHER}`);
    expect(pub({ callId: 'd', to: '<sip:Alice@example.com>' })).toBe(`sip:Alice@example.com;gr=${UUID}`);
  });

  it('R5627-5.1-04 escapes what the AOR and the instance may hold, and is read again', () => {
    const shard = new VirtualShard();
    const instance = 'urn:X-Foo:a;b=c,d%20e@"'.replace('"', '');
    const answer = send(shard, {
      to: '<sip:a%40b%22%5cc%20%C3%A9;x@example.com>',
      contacts: [contact('192.0.2.1', instance)],
    });
    const [{ pub }] = gruusOf(answer);
    expect(pub).toBe('sip:a%40b%22%5Cc%20%C3%A9;x@example.com;gr=urn:X-Foo:a%3Bb%3Dc%2Cd%2520e%40');
    expect([...storedBindings(shard.store).keys()]).toEqual(['a@b"\\c \xc3\xa9;x@example.com']);
    expect(lookup(shard, pub ?? '')).toEqual({ kind: GRUU_PUBLIC, contacts: ['sip:callee@192.0.2.1'] });
  });

  it('R5627-5.4-01 R5627-5.3-02 leads to the contacts of its instance, and after they have gone to the same again', () => {
    const shard = new VirtualShard();
    const [{ pub = '' }] = gruusOf(send(shard));
    send(shard, { callId: 'b', contacts: [contact('192.0.2.2', OTHER)] });
    expect(lookup(shard, pub)).toEqual({ kind: GRUU_PUBLIC, contacts: ['sip:callee@192.0.2.1'] });
    expect(lookup(shard, pub.replace('sip:', 'sips:')).contacts).toEqual(['sip:callee@192.0.2.1']);
    send(shard, { cseq: 2, contacts: [`${contact()};expires=0`] });
    expect(lookup(shard, pub)).toEqual({ kind: GRUU_PUBLIC, contacts: [] });
    expect(gruusOf(send(shard, { callId: 'c', contacts: [contact('192.0.2.3')] }))[1].pub).toBe(pub);
    expect(lookup(shard, pub).contacts).toEqual(['sip:callee@192.0.2.3']);
  });

  it.each([
    ['sip:alice@example.com', GRUU_NONE],
    ['sip:alice@example.com;gr=nonsense', GRUU_INVALID],
    ['sip:alice@example.com;gr=', GRUU_INVALID],
    ['sip:alice@example.com;gr', GRUU_INVALID],
    ['sip:example.com;gr', GRUU_INVALID],
    [`sip:alice@example.com;GR=${UUID}`, GRUU_PUBLIC],
    [`tel:+1;gr=${UUID}`, GRUU_NONE],
    [`sip:${'A'.repeat(64)}@example.com;gr`, GRUU_INVALID],
    [`sip:${'!'.repeat(64)}@example.com;gr`, GRUU_INVALID],
  ])('R5627-6.1-01 is told from what is none: %s', (uri, kind) => {
    expect(lookup(new VirtualShard(), uri)).toEqual({ kind, contacts: [] });
  });
});

describe('temporary GRUUs', () => {
  it('R5627-5.1-07 R5627-5.4-01 are new at each refresh, and all lead to the instance', () => {
    const shard = new VirtualShard();
    send(shard, { callId: 'other', contacts: [contact('192.0.2.2', OTHER)] });
    const temps = [1, 2, 3].map((cseq) => {
      shard.advance(5);
      return tempOf(send(shard, { cseq }), 1);
    });
    expect(new Set(temps).size).toBe(3);
    for (const temp of temps)
      expect(lookup(shard, temp)).toEqual({ kind: GRUU_TEMPORARY, contacts: ['sip:callee@192.0.2.1'] });
  });

  it('R5627-5.1-06 end when the instance comes back with another Call-ID', () => {
    const shard = new VirtualShard();
    const old = [1, 2].map((cseq) => tempOf(send(shard, { callId: 'before', cseq })));
    shard.advance(5);
    const young = tempOf(send(shard, { callId: 'after', contacts: [contact('192.0.2.3')] }));
    for (const temp of old) expect(lookup(shard, temp).contacts).toEqual([]);
    expect(lookup(shard, young).contacts).toEqual(['sip:callee@192.0.2.1', 'sip:callee@192.0.2.3']);
  });

  it('R5627-5.1-06 of another instance go on', () => {
    const shard = new VirtualShard();
    const other = tempOf(send(shard, { callId: 'other', contacts: [contact('192.0.2.2', OTHER)] }));
    send(shard, { callId: 'before' });
    send(shard, { callId: 'after' });
    expect(lookup(shard, other).contacts).toEqual(['sip:callee@192.0.2.2']);
  });

  it('R5627-5.1-06 go on where another contact is added, whatever was registered for another AOR before', () => {
    const shard = new VirtualShard();
    const bob = { to: '<sip:bob@example.com>', callId: 'bob' };
    const temp = tempOf(send(shard, bob));
    send(shard);
    send(shard, { ...bob, cseq: 2, contacts: ['<sip:callee@192.0.2.9>'] });
    expect(lookup(shard, temp).contacts).toEqual(['sip:callee@192.0.2.1']);
  });

  it('R5627-5.1-06 of flows end when that flow comes back with another Call-ID, not when a second flow is added', () => {
    const shard = new VirtualShard();
    const flow = (regId: number): string => `${contact(`192.0.2.${regId}`)};reg-id=${regId}`;
    const all = ['sip:callee@192.0.2.1', 'sip:callee@192.0.2.2'];
    const first = tempOf(send(shard, { callId: 'one', contacts: [flow(1)] }));
    const second = tempOf(send(shard, { callId: 'two', contacts: [flow(2)] }));
    expect([lookup(shard, first).contacts, lookup(shard, second).contacts]).toEqual([all, all]);
    expect(first).not.toBe(second);
    shard.advance(5);
    const refreshed = tempOf(send(shard, { callId: 'one', cseq: 2, contacts: [flow(1)] }));
    expect(lookup(shard, second).contacts).toEqual(all);
    shard.advance(5);
    const reborn = tempOf(send(shard, { callId: 'three', contacts: [flow(2)] }));
    for (const temp of [first, second, refreshed]) expect(lookup(shard, temp).contacts).toEqual([]);
    expect(lookup(shard, reborn).contacts).toEqual(all);
    shard.advance(5);
    send(shard, { callId: 'one', cseq: 3, contacts: [flow(1)] });
    expect(lookup(shard, reborn).contacts).toEqual(all);
    expect(lookup(shard, first).contacts).toEqual([]);
  });

  it('R5627-5.3-01 R5627-5.4-03 end with the last contact of the instance, however it goes, for good', () => {
    const ends: ((shard: VirtualShard) => void)[] = [
      (shard) => send(shard, { cseq: 2, contacts: [`${contact()};expires=0`] }),
      (shard) => send(shard, { cseq: 2, contacts: ['*'], expires: 0 }),
      (shard) => shard.advance(3700),
    ];
    for (const end of ends) {
      const shard = new VirtualShard();
      const temp = tempOf(send(shard));
      end(shard);
      expect(lookup(shard, temp).contacts).toEqual([]);
      send(shard, { cseq: 3 });
      expect(lookup(shard, temp).contacts).toEqual([]);
    }
  });

  it('R5627-5.3-01 of one life of an instance are none of the next, even within a millisecond', () => {
    const shard = new VirtualShard();
    const [a, , c] = shard.batch([
      register({ contacts: [contact()], extra: [KNOWS] }),
      register({ cseq: 2, contacts: [`${contact()};expires=0`] }),
      register({ cseq: 3, contacts: [contact()], extra: [KNOWS] }),
    ]);
    expect(lookup(shard, tempOf(a)).contacts).toEqual([]);
    expect(lookup(shard, tempOf(c)).contacts).toEqual(['sip:callee@192.0.2.1']);
  });

  it('R5627-5.4-01 of two instances in one request are told apart', () => {
    const shard = new VirtualShard();
    const answer = send(shard, { contacts: [contact(), contact('192.0.2.2', OTHER)] });
    expect(lookup(shard, tempOf(answer, 0)).contacts).toEqual(['sip:callee@192.0.2.1']);
    expect(lookup(shard, tempOf(answer, 1)).contacts).toEqual(['sip:callee@192.0.2.2']);
  });

  it('R5627-5.1-08 are byte-exact: another case, domain or character is none', () => {
    const shard = new VirtualShard();
    const temp = tempOf(send(shard));
    const token = temp.slice(4, 68);
    expect(lookup(shard, `sip:${token}@EXAMPLE.com;gr`).contacts).toHaveLength(1); // hosts have no case
    expect(
      lookup(shard, `sip:%${token.charCodeAt(0).toString(16)}${token.slice(1)}@example.com;gr`).contacts,
    ).toHaveLength(1);
    expect(lookup(shard, `sip:${token}@example.net;gr`).kind).toBe(GRUU_INVALID);
    for (let i = 0; i < token.length; i++) {
      const other = token[i] === 'A' ? 'B' : 'A';
      const changed = `sip:${token.slice(0, i)}${other}${token.slice(i + 1)}@example.com;gr`;
      expect([i, lookup(shard, changed).kind]).toEqual([i, GRUU_INVALID]);
    }
  });

  it('R5627-5.1-08 of another secret or generation are none', () => {
    const shard = new VirtualShard();
    const temp = tempOf(send(shard));
    expect(lookup(shard, temp, new Gruus(VIRTUAL_SECRET)).kind).toBe(GRUU_TEMPORARY);
    expect(lookup(shard, temp, new Gruus(VIRTUAL_SECRET, 1)).kind).toBe(GRUU_INVALID);
    expect(lookup(shard, temp, new Gruus(VIRTUAL_SECRET.with(31, 0))).kind).toBe(GRUU_INVALID);
    expect(lookup(shard, temp, new Gruus(VIRTUAL_SECRET.with(0, 0))).kind).toBe(GRUU_INVALID);
  });

  it('R5627-5.1-08 differ in half their bits, whether of one instance or of two', () => {
    const shard = new VirtualShard();
    const bits = (temp: string): Uint8Array => Buffer.from(temp.slice(4, 68), 'base64url');
    const tokens = Array.from({ length: 400 }, (_, i) => {
      const user = i % 2 === 0 ? 'alice' : `user${i}`;
      return bits(tempOf(send(shard, { to: `<sip:${user}@example.com>`, callId: user, cseq: i + 1 })));
    });
    const distance = (a: Uint8Array, b: Uint8Array): number =>
      a.reduce((sum, byte, i) => sum + [...(byte ^ b[i]).toString(2)].filter((c) => c === '1').length, 0);
    const average = (pairs: [number, number][]): number =>
      pairs.reduce((sum, [i, j]) => sum + distance(tokens[i], tokens[j]), 0) / pairs.length;
    const same = average(Array.from({ length: 199 }, (_, i) => [2 * i, 2 * i + 2]));
    const different = average(Array.from({ length: 199 }, (_, i) => [2 * i, 2 * i + 1]));
    // 384 bits, 192 expected; the average of 199 pairs has a standard deviation of 0.7.
    for (const mean of [same, different]) expect(Math.abs(mean - 192)).toBeLessThan(5);
    expect(new Set(tokens.map((token) => Buffer.from(token).toString('hex'))).size).toBe(400);
  });

  it('R5627-5.1-08 are never more than 64 characters that stand in a URI, and only ours are read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 48 }), (bytes) => {
        const uri = `sip:${Buffer.from(bytes).toString('base64url')}@example.com;gr`;
        expect(lookup(new VirtualShard(), uri).kind).toBe(GRUU_INVALID);
      }),
      { numRuns: 200 },
    );
  });

  it('R5627-5.1-07 go on after a restart, and after a failed request nothing has changed', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    const temp = tempOf(send(shard));
    const restarted = new VirtualShard({ store, now: shard.now });
    expect(lookup(restarted, temp).contacts).toHaveLength(1);
    expect(statusOf(restarted, { callId: 'new', contacts: [contact(), '<sip:x@192.0.2.9>;q=7'] })).toBe(400);
    expect(lookup(restarted, temp).contacts).toHaveLength(1);
    expect(bindings(restarted)).toHaveLength(1);
  });
});
