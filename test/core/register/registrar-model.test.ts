// The core against the naive registrar: the same requests, the same answers, whatever the order and the time between.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GruuReader } from '../../support/gruu-reader.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';
import { NAIVE_CONTACTS_MAX, type NaiveContact, NaiveRegistrar, type NaiveRequest } from './naive-registrar.ts';

const uri = fc.constantFrom(
  'sip:a@192.0.2.1',
  'sip:%61@192.0.2.1',
  'SIP:a@192.0.2.1',
  'sip:A@192.0.2.1',
  'sips:a@192.0.2.1',
  'sip:a@192.0.2.1:5060',
  'sip:a@Host.example.org',
  'sip:a@hOST.example.org;ob',
  'sip:a@host.example.org;line=1',
  'sip:a@host.example.org;line=2',
  'sip:a@host.example.org;LINE=1;ob',
  'sip:a@host.example.org;transport=tcp',
  'sip:a@host.example.org;transport=TCP;x=1',
  'sip:a@host.example.org;user=phone',
  'sip:a@host.example.org?Subject=x',
  'sip:a@host.example.org;line=1?subject=X',
);
const seconds = fc.constantFrom('0', '0', '30', '60', '61', '120', '3600', '7200', '7201', 'soon', '0000000090');
const UUIDS = ['urn:uuid:00000000-0000-1000-8000-aabbccddeeff', 'urn:uuid:11111111-0000-1000-8000-aabbccddeeff'];
const flowParts = {
  instance: fc.option(fc.constantFrom(...UUIDS, UUIDS[0].toUpperCase()), { freq: 1, nil: undefined }),
  regId: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
};
const contact = fc.record({ uri, expires: fc.option(seconds, { nil: undefined }), ...flowParts });
const request = fc.record({
  callId: fc.constantFrom('x', 'X', 'y'),
  cseq: fc.integer({ min: 1, max: 12 }),
  contacts: fc.array(contact, { maxLength: 4 }),
  star: fc.option(fc.constant(true), { freq: 12, nil: undefined }),
  expires: fc.option(seconds, { nil: undefined }),
});
const step = fc.record({ request, waitS: fc.constantFrom(0, 0, 1, 29, 60, 119, 3600) });

let tags = 0;

/** With a From tag of its own, so that none counts as the same request by another way (§8.2.2.2). */
function asText({ callId, cseq, contacts, star, expires }: NaiveRequest): string {
  return register({
    from: `<sip:alice@example.com>;tag=${++tags}`,
    callId,
    cseq,
    contacts: [...(star ? ['*'] : []), ...contacts.map(contactText)],
    ...(expires === undefined ? {} : { expires }),
    extra: ['Supported: path, outbound, gruu'],
  });
}

function contactText({ uri: u, expires, instance, regId }: NaiveContact): string {
  const params = [
    ...(regId === undefined ? [] : [`;reg-id=${regId}`]),
    ...(expires === undefined ? [] : [`;expires=${expires}`]),
    ...(instance === undefined ? [] : [`;+sip.instance="<${instance}>"`]),
  ];
  return `<${u}>${params.join('')}`;
}

describe('the registrar and the naive model of §10.3', () => {
  it('R3261-10.3-05 R3261-10.3-06 R3261-10.3-40 agree on every answer and every binding', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const shard = new VirtualShard({ policy: { contactsPerAorMax: NAIVE_CONTACTS_MAX } });
        const model = new NaiveRegistrar();
        for (const { request: r, waitS } of steps) {
          shard.advance(waitS);
          const expected = model.register(r, shard.now);
          const answer = shard.send(asText(r));
          const bindings = answer?.contacts.map(({ uri: u, expires }) => ({ uri: u, expires }));
          expect({ status: answer?.status, bindings }).toEqual(expected);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('R3261-10.3-04 agree when the requests come in one batch', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 25 }), (requests) => {
        const shard = new VirtualShard({ policy: { contactsPerAorMax: NAIVE_CONTACTS_MAX } });
        const model = new NaiveRegistrar();
        const expected = requests.map((r) => model.register(r, shard.now).status);
        const answers = shard.batch(requests.map(asText));
        expect(answers.map((answer) => answer.status)).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  it('R5626-6-08 R5627-5.1-06 R5627-5.3-01 agree on which temporary GRUUs are valid, and where they lead', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const shard = new VirtualShard({ policy: { contactsPerAorMax: NAIVE_CONTACTS_MAX } });
        const model = new NaiveRegistrar();
        const reader = new GruuReader(shard);
        const given = new Map<string, { instance: string; life: number | undefined }>();
        for (const { request: r, waitS } of steps) {
          shard.advance(waitS);
          shard.now += 1; // two requests in one millisecond have no order
          model.register(r, shard.now);
          for (const { row } of shard.send(asText(r))?.contacts ?? []) {
            const instance = /\+sip\.instance="<([^>]*)>/.exec(row)?.[1].toLowerCase();
            const gruu = /temp-gruu="([^"]*)"/.exec(row)?.[1];
            if (instance !== undefined && gruu !== undefined)
              given.set(gruu, { instance, life: model.lives.get(instance) });
          }
          for (const [gruu, { instance, life }] of given) {
            const valid = life !== undefined && model.lives.get(instance) === life;
            const instances = reader.lookup(gruu).map((binding) => binding.instance.toLowerCase());
            expect([gruu, new Set(instances)]).toEqual([gruu, new Set(valid ? [instance] : [])]);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
