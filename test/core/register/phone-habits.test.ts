// Habits of real phones that the grammar does not foresee and the registrar serves all the same (docs/decisions/0010): each
// registers, and what other clients of the AOR are shown is well formed. Messages of our own making.

import { describe, expect, it } from 'vitest';
import { LENIENCIES, type Leniency } from '../../../src/sip/parser/strictness.ts';
import { answered, bindings } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.1:5060>';

describe('a display name that should have been quoted', () => {
  it.each(['Büro/1 (Keller)', 'Room: 5', '(555) 123-4567', 'alice@pbx', 'sip:alice@pbx', '[EG]'])(
    'is served and kept from other clients: %s',
    (name) => {
      const shard = new VirtualShard();
      const raw = Buffer.from(name).toString('latin1');
      const answer = answered(
        shard,
        register({
          from: `${raw} <sip:alice@example.com>;tag=f`,
          to: `${raw} <sip:alice@example.com>`,
          contacts: [`${raw} ${A};expires=300`],
        }),
      );
      expect(answer.status).toBe(200);
      expect(answer.header('From')).toEqual([`${raw} <sip:alice@example.com>;tag=f`]);
      expect(answer.header('Contact')).toEqual([`${A};expires=300`]);
    },
  );

  it('R3261-10.3-05 never makes an address of what stands before the brackets, nor of two addresses one', () => {
    for (const contact of [
      'sip:mallory@192.0.2.66?x=<sip:alice@192.0.2.1>',
      'sip:mallory@192.0.2.66;x <sip:alice@192.0.2.1>',
      'Last, First <sip:alice@192.0.2.1>',
      'a "b" <sip:alice@192.0.2.1>',
    ]) {
      const shard = new VirtualShard();
      expect(answered(shard, register({ contacts: [contact] })).status).toBe(400);
      expect(bindings(shard)).toEqual([]);
    }
  });
});

describe('a ";" at the end of a value', () => {
  it('is passed over in Via, From, To and Contact, and not repeated before parameters of ours', () => {
    const answer = answered(
      new VirtualShard(),
      register({
        via: 'SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKsemi;rport;',
        from: '<sip:alice@example.com>;tag=f;',
        to: '<sip:alice@example.com>;',
        contacts: [`${A};q=0.5;expires=300;`, '<sip:alice@192.0.2.2>;expires=300 ; '],
      }),
    );
    expect(answer.status).toBe(200);
    expect(answer.header('Via')).toEqual([
      'SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKsemi;rport=5060;received=192.0.2.9',
    ]);
    expect(answer.header('From')).toEqual(['<sip:alice@example.com>;tag=f;']);
    expect(answer.header('To')[0]).toMatch(/^<sip:alice@example\.com>;tag=\w+$/);
    expect(answer.header('Contact')).toEqual([`${A};q=0.5;expires=300`, '<sip:alice@192.0.2.2>;expires=300']);
  });

  it('two of them, or one before a comma, are malformed (RFC 4475 §3.1.2.1)', () => {
    for (const contact of [`${A};;`, `${A};;q=1`, `${A};, <sip:alice@192.0.2.2>`])
      expect(answered(new VirtualShard(), register({ contacts: [contact] })).status).toBe(400);
  });
});

describe('a long Contact', () => {
  it('the feature tags of an RCS phone fit and come back', () => {
    const tags = (name: string, service: string, count: number) =>
      `;+g.3gpp.${name}="${Array.from({ length: count }, (_, i) => `urn%3Aurn-7%3A3gpp-${service}.${i}`).join(',')}"`;
    const params =
      tags('icsi-ref', 'service.ims.icsi.mmtel', 8) + tags('iari-ref', 'application.ims.iari.rcs.geopush', 18);
    expect(params.length).toBeGreaterThan(1024);
    const answer = answered(new VirtualShard(), register({ contacts: [A + params], expires: 600 }));
    expect(answer.status).toBe(200);
    expect(answer.header('Contact')).toEqual([`${A}${params};expires=600`]);
  });
});

describe('a server that is strict', () => {
  const habits: readonly [name: Leniency, ...Parameters<typeof register>][] = [
    ['closing-semicolon', { contacts: [`${A};expires=60;`] }],
    ['unquoted-names', { contacts: [`Room: 5 ${A}`] }],
    ['call-id', { callId: 'a@b@c', contacts: [A] }],
  ];

  it.each(habits)('refuses what a lenient one serves, and says why: %s', (name, request) => {
    const strict = new VirtualShard({ policy: { strict: [name] } });
    const refused = answered(strict, register(request));
    expect(refused.status).toBe(400);
    expect(refused.phrase).toMatch(name === 'call-id' ? /Malformed Call-ID/ : /Malformed Contact/);
    expect(bindings(strict)).toEqual([]);
    const others = LENIENCIES.filter((other) => other !== name);
    expect(answered(new VirtualShard({ policy: { strict: others } }), register(request)).status).toBe(200);
  });
});
