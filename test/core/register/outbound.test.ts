// Flows (RFC 5626 §6): section 9 of the requirements, as far as it is the registrar's.

import { describe, expect, it } from 'vitest';
import { GruuReader } from '../../support/gruu-reader.ts';
import { answered, bindings, statusOf, uris } from '../../support/requests.ts';
import { type StoredBinding, storedBindings } from '../../support/stored-bindings.ts';
import { type Answer, type RegisterOptions, register, type Source, VirtualShard } from '../../support/virtual-shard.ts';

const UUID = 'urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF';
const OTHER = 'urn:uuid:11111111-0000-1000-8000-AABBCCDDEEFF';
const KNOWS = 'Supported: path, outbound';
const EDGE = 'Path: <sip:VskztcQ/S8p4WPbOnHbuyh5iJvJIW3ib@ep1.example.com;lr;ob>';
let vias = 0;

/** A Via of a proxy before the phone's. */
function viaProxy(): string {
  return `SIP/2.0/TCP 192.0.2.15;branch=z9hG4bKe${++vias}\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKp${vias}`;
}

function flow(regId: number | string, host = '192.0.2.1', instance = UUID): string {
  return `<sip:alice@${host};transport=tcp>;reg-id=${regId};+sip.instance="<${instance}>"`;
}

function send(shard: VirtualShard, options: RegisterOptions, source: Source = {}): Answer {
  return answered(shard, register({ extra: [KNOWS], ...options }), source);
}

function stored(shard: VirtualShard): StoredBinding[] {
  return storedBindings(shard.store).get('alice@example.com') ?? [];
}

describe('a REGISTER with reg-id', () => {
  it('R5626-6-02 R5626-6-10 R3261-8.2.4-02 straight from the phone is a flow, and the 200 says so', () => {
    const shard = new VirtualShard();
    const answer = send(shard, { contacts: [flow(1)] });
    expect([answer.status, answer.header('Require')]).toEqual([200, ['outbound']]);
    expect(answer.header('Supported')).toEqual(['path, outbound']);
    expect(answer.contacts[0].row).toContain(`;reg-id=1;+sip.instance="<${UUID}>"`);
    expect(stored(shard).map(({ regId, instance }) => [regId, instance])).toEqual([[1, UUID]]);
  });

  it('R5626-6-02 R5626-6-10 through an edge proxy with ob is one, as in RFC 5626 §9.1 messages 9 to 15', () => {
    const shard = new VirtualShard();
    const bob = (callId: string, cseq: number, regId: number, path: string): Answer =>
      answered(
        shard,
        [
          'REGISTER sip:example.com SIP/2.0',
          `Via: SIP/2.0/TCP 192.0.2.15;branch=z9hG4bKnuiqisi${callId}${cseq}`,
          `Via: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKnashds7${callId}${cseq}`,
          'Max-Forwards: 69',
          `From: Bob <sip:bob@example.com>;tag=7F94778B653B`,
          'To: Bob <sip:bob@example.com>',
          `Call-ID: ${callId}`,
          `CSeq: ${cseq} REGISTER`,
          'Supported: path, outbound',
          `Contact: <sip:bob@192.0.2.2;transport=tcp>;reg-id=${regId}`,
          ' ;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"',
          `Path: ${path}`,
          'Content-Length: 0\r\n\r\n',
        ].join('\r\n'),
      );
    const ep1 = '<sip:VskztcQ/S8p4WPbOnHbuyh5iJvJIW3ib@ep1.example.com;lr;ob>';
    const ep2 = '<sip:wazHDLdIMtUg6r0I/oRZ15zx3zHE1w1Z@ep2.example.com;lr;ob>';
    const m11 = bob('16CB75F21C70', 1, 1, ep1);
    expect([m11.status, m11.header('Require'), m11.header('Path')]).toEqual([200, ['outbound'], [ep1]]);
    const m15 = bob('E05133BD26DD', 1, 2, ep2);
    expect([m15.header('Path'), m15.contacts.length]).toEqual([[ep2], 2]);
    const new1 = '<sip:3yJEbr1GYZK9cPYk5Snocez6DzO7w+AX@ep1.example.com;lr;ob>';
    expect(bob('16CB75F21C70', 2, 1, new1).contacts).toHaveLength(2); // §9.4, after EP1 had crashed
    expect(
      storedBindings(shard.store)
        .get('bob@example.com')
        ?.map(({ regId, path }) => [regId, path]),
    ).toEqual([
      [1, new1],
      [2, ep2],
    ]);
  });

  it('R5626-6-02 through an edge proxy behind another proxy is one', () => {
    const extra = [KNOWS, 'Path: <sip:core.example.com;lr>', EDGE];
    expect(send(new VirtualShard(), { via: viaProxy(), contacts: [flow(1)], extra }).header('Require')).toEqual([
      'outbound',
    ]);
  });

  it('R5626-6-03 through a proxy without ob draws 439 where the client knows of flows', () => {
    const shard = new VirtualShard();
    for (const [i, extra] of [[KNOWS], [KNOWS, 'Path: <sip:ep1.example.com;lr>']].entries()) {
      const answer = send(shard, { via: viaProxy(), cseq: i + 1, contacts: [flow(1)], extra });
      expect([answer.status, answer.phrase]).toEqual([439, 'First Hop Lacks Outbound Support']);
    }
    expect(bindings(shard)).toEqual([]);
  });

  it.each([',', ', ,', ', x'])('R5626-6-03 has passed a proxy where a second Via cannot be read: "%s"', (rest) => {
    const shard = new VirtualShard();
    const via = `SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKr${++vias}${rest}`;
    expect(send(shard, { via, contacts: [flow(1)] }).status).toBe(439);
    expect(bindings(shard)).toEqual([]);
  });

  it('R5626-6-03 R5626-6-06 through such a proxy is a plain contact where the client does not', () => {
    const shard = new VirtualShard();
    const options = { via: viaProxy(), extra: ['Path: <sip:ep1.example.com;lr>'] };
    const answer = send(shard, { ...options, contacts: [flow(1)] });
    expect([answer.status, answer.header('Require')]).toEqual([200, []]);
    const second = send(shard, { ...options, via: viaProxy(), cseq: 2, contacts: [flow(1, '192.0.2.2')] });
    expect(second.contacts).toHaveLength(2);
    expect(stored(shard).map(({ regId }) => regId)).toEqual([0, 0]);
  });

  it('R5626-6-04 R5626-6-06 without an instance is a plain contact', () => {
    const shard = new VirtualShard();
    const plain = (host: string): string => `<sip:alice@${host}>;reg-id=1`;
    expect(send(shard, { contacts: [plain('192.0.2.1')] }).header('Require')).toEqual([]);
    expect(send(shard, { cseq: 2, contacts: [plain('192.0.2.2')] }).contacts).toHaveLength(2);
    const bare = '<sip:alice@192.0.2.3>;reg-id=1;+sip.instance="no-brackets"';
    expect(send(shard, { cseq: 3, contacts: [bare] }).header('Require')).toEqual([]);
  });

  it('R5626-6-05 beside another contact that stays draws 400; beside one that goes it does not', () => {
    const shard = new VirtualShard();
    const plain = '<sip:alice@192.0.2.9>';
    const answer = send(shard, { contacts: [flow(1), plain] });
    expect([answer.status, answer.phrase]).toEqual([400, 'One Contact Per Flow']);
    expect(statusOf(shard, { cseq: 2, contacts: [flow(1), flow(2)] })).toBe(400);
    expect(bindings(shard)).toEqual([]);
    expect(statusOf(shard, { cseq: 3, contacts: [plain] })).toBe(200);
    expect(send(shard, { cseq: 4, contacts: [flow(1), `${plain};expires=0`] }).contacts).toHaveLength(1);
  });

  it('R5626-6-06 without Supported: outbound is a flow, but Require is not there', () => {
    const shard = new VirtualShard();
    const answer = send(shard, { contacts: [flow(1)], extra: [] });
    expect([answer.status, answer.header('Require'), stored(shard)[0].regId]).toEqual([200, [], 1]);
    expect(send(shard, { callId: 'plain', contacts: ['<sip:alice@192.0.2.9>'] }).header('Require')).toEqual([]);
    expect(send(shard, { callId: 'fetch' }).header('Require')).toEqual([]);
  });

  it.each(['0', 'abc', '2147483648', '-1', '', '1.5'])('R5626-10-01 of %s draws 400', (regId) => {
    expect(statusOf(new VirtualShard(), { contacts: [flow(regId)] })).toBe(400);
  });

  it.each([1, 2147483647])('R5626-10-01 of %d is taken', (regId) => {
    const shard = new VirtualShard();
    expect(statusOf(shard, { contacts: [flow(regId)] })).toBe(200);
    expect(stored(shard)[0].regId).toBe(regId);
  });
});

describe('bindings of flows', () => {
  it('R5626-6-08 are of instance and reg-id, whatever the URI', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [flow(1)] });
    expect(send(shard, { callId: 'b', contacts: [flow(1, '198.51.100.1')] }).contacts.map(({ uri }) => uri)).toEqual([
      'sip:alice@198.51.100.1;transport=tcp',
    ]);
    expect(send(shard, { callId: 'c', contacts: [flow(2, '198.51.100.1')] }).contacts).toHaveLength(2);
    expect(send(shard, { callId: 'd', contacts: [flow(1, '198.51.100.1', OTHER)] }).contacts).toHaveLength(3);
    expect(shard.counter('refreshed')).toBe(1);
  });

  it('R5626-4.1-01 R5626-6-08 are found by the instance as a URN', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [flow(1)] });
    const answer = send(shard, { callId: 'b', contacts: [flow(1, '192.0.2.2', UUID.toLowerCase())] });
    expect(answer.contacts.map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.2;transport=tcp']);
  });

  it('R5626-6-07 and others stand side by side, the same URI or not', () => {
    const shard = new VirtualShard();
    const plain = '<sip:alice@192.0.2.1;transport=tcp>';
    send(shard, { contacts: [flow(1)] });
    expect(send(shard, { callId: 'b', contacts: [plain] }).contacts).toHaveLength(2);
    expect(send(shard, { callId: 'c', contacts: [`${plain};expires=0`] }).contacts.map(({ row }) => row)).toEqual([
      expect.stringContaining('reg-id=1'),
    ]);
    expect(send(shard, { callId: 'd', contacts: [plain] }).contacts).toHaveLength(2);
    const gone = send(shard, { callId: 'e', contacts: [`${flow(1, '203.0.113.1')};expires=0`] });
    expect(gone.contacts.map(({ row }) => row)).toEqual([expect.not.stringContaining('reg-id')]);
    expect(shard.counter('bindings')).toBe(1);
  });

  it('R5626-6-12 R5626-6-11 have the flow they came over last', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [flow(1)] }, { ip: '192.0.2.9', port: 4000 });
    send(shard, { cseq: 2, contacts: [flow(1)] }, { ip: '198.51.100.7', port: 5000 });
    expect(stored(shard)).toMatchObject([{ cseq: 2, source: '198.51.100.7:5000' }]);
  });

  it('R5626-6-08 R3261-10.3-30 obey Call-ID and CSeq like others', () => {
    const shard = new VirtualShard();
    send(shard, { cseq: 5, contacts: [flow(1)] });
    expect(statusOf(shard, { cseq: 4, contacts: [flow(1, '192.0.2.2')] })).toBe(500);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.1;transport=tcp']);
  });

  it('R5626-6-08 go with the wildcard', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [flow(1)] });
    send(shard, { cseq: 2, contacts: [flow(2)] });
    expect(send(shard, { cseq: 3, contacts: ['*'], expires: 0 }).contacts).toEqual([]);
  });
});

describe('a sips contact', () => {
  const contact = '<sips:alice@192.0.2.1>';
  const all = { requestUri: 'sips:example.com', contacts: [contact] };

  it('R5630-5.2-02 is bound where Request-URI, contacts and Path are sips, else it draws 400', () => {
    const shard = new VirtualShard();
    const path = (...uris: string[]): string => `Path: ${uris.map((uri) => `<${uri};lr>`).join(', ')}`;
    const refused: RegisterOptions[] = [
      { contacts: [contact] },
      { ...all, contacts: [contact, '<sip:alice@192.0.2.2>'] },
      { ...all, contacts: [contact, '<sip:alice@192.0.2.2>;expires=0'] },
      { ...all, extra: [path('sips:p1', 'sip:p2')] },
      { ...all, extra: [path('sip:p1')] },
    ];
    for (const [i, options] of refused.entries()) expect(statusOf(shard, { ...options, cseq: i + 1 })).toBe(400);
    expect(bindings(shard)).toEqual([]);
    expect(statusOf(shard, { ...all, cseq: 10, extra: [path('sips:p1', 'sips:p2')] })).toBe(200);
    expect(statusOf(shard, { ...all, cseq: 11, to: '<sips:alice@example.com>' })).toBe(200);
    expect(statusOf(shard, { cseq: 12, contacts: [`${contact};expires=0`] })).toBe(200);
    expect(statusOf(shard, { ...all, cseq: 13, contacts: ['<sip:alice@192.0.2.2>'] })).toBe(200);
  });
});

describe('policy', () => {
  it('R5626-6-14 may send a Flow-Timer, for flows that it holds itself', () => {
    const shard = new VirtualShard({ policy: { flowTimerS: 120 } });
    expect(send(shard, { contacts: [flow(1)] }).header('Flow-Timer')).toEqual(['120']);
    const behind = { via: viaProxy(), extra: [KNOWS, EDGE] };
    expect(send(shard, { ...behind, callId: 'b', contacts: [flow(2)] }).header('Flow-Timer')).toEqual([]);
    expect(send(shard, { callId: 'c', contacts: ['<sip:alice@192.0.2.3>'] }).header('Flow-Timer')).toEqual([]);
    expect(send(new VirtualShard(), { contacts: [flow(1)] }).header('Flow-Timer')).toEqual([]);
  });

  it('R5626-6-03 may ignore reg-ids altogether', () => {
    const shard = new VirtualShard({ policy: { outbound: 'off' } });
    const answer = send(shard, { via: viaProxy(), contacts: [flow(1)] });
    expect([answer.status, answer.header('Require'), answer.header('Supported')]).toEqual([200, [], ['path']]);
    expect(send(shard, { cseq: 2, contacts: [flow(1, '192.0.2.2')] }).contacts).toHaveLength(2);
  });

  it('R5626-6-07 may insist on flows', () => {
    const shard = new VirtualShard({ policy: { outbound: 'required' } });
    const plain = '<sip:alice@192.0.2.1>';
    const old = send(shard, { contacts: [plain], extra: [] });
    expect([old.status, old.phrase, old.header('Require')]).toEqual([421, 'Extension Required', ['outbound']]);
    expect(send(shard, { cseq: 2, contacts: [plain] }).status).toBe(400);
    expect(send(shard, { cseq: 3, contacts: [flow(1)] }).status).toBe(200);
    expect(send(shard, { cseq: 4 }).status).toBe(200);
    expect(send(shard, { cseq: 5, contacts: [`${plain};expires=0`], extra: [] }).status).toBe(200);
  });
});

describe('a phone that moves names its old contact with an interval of zero', () => {
  const OLD = `<sip:alice@192.0.2.7:5071;ob>;+sip.instance="<${UUID}>"`;
  const NEW = `<sip:alice@192.0.2.7:6084;ob>;+sip.instance="<${UUID}>"`;
  const [OLD_URI, NEW_URI] = ['sip:alice@192.0.2.7:5071;ob', 'sip:alice@192.0.2.7:6084;ob'];
  /** The same said by an Expires header of zero and a parameter of the new contact. */
  const underExpiresZero = (row: string): string =>
    row.replaceAll(';expires=0', '').replace(`<${NEW_URI}>`, `<${NEW_URI}>;expires=600`);
  const TEMP = /temp-gruu="([^"]*)"/;

  it.each([
    ['first', `${OLD};reg-id=1`, [`${NEW};reg-id=1`, `${OLD};reg-id=1;expires=0`]],
    ['last', `${OLD};reg-id=1`, [`${OLD};reg-id=1;expires=0`, `${NEW};reg-id=1`]],
    ['in one row', `${OLD};reg-id=1`, [`${NEW};reg-id=1, ${OLD};reg-id=1;expires=0`]],
    [
      'between two old ones',
      `${OLD};reg-id=1`,
      [`${OLD};reg-id=1;expires=0`, `${NEW};reg-id=1`, `<sip:alice@h>;expires=0`],
    ],
    ['the old one without reg-id', `${OLD};reg-id=1`, [`${NEW};reg-id=1`, `${OLD};expires=0`]],
    ['the old one without instance', `${OLD};reg-id=1`, [`${NEW};reg-id=1`, `<${OLD_URI}>;expires=0`]],
    ['instance alone', OLD, [NEW, `${OLD};expires=0`]],
    ['instance alone, old one first', OLD, [`${OLD};expires=0`, NEW]],
    ['neither', `<${OLD_URI}>`, [`<${NEW_URI}>`, `<${OLD_URI}>;expires=0`]],
    ['bound without a flow before', OLD, [`${NEW};reg-id=1`, `${OLD};reg-id=1;expires=0`]],
    ['from one reg-id to another', `${OLD};reg-id=2`, [`${OLD};reg-id=2;expires=0`, `${NEW};reg-id=1`]],
  ])('R5626-6-08 R3261-10.3-40: %s', (_, first, contacts) => {
    const spelt = [{ contacts }, { expires: 0, contacts: contacts.map((row) => underExpiresZero(row)) }];
    for (const options of spelt) {
      const shard = new VirtualShard();
      send(shard, { contacts: [first] });
      expect(send(shard, { cseq: 2, ...options }).status).toBe(200);
      expect(uris(shard)).toEqual([NEW_URI]);
      expect(shard.counter('bindings')).toBe(1);
    }
  });

  it('R5627-5.1-06: its GRUUs live on, whichever comes first', () => {
    for (const contacts of [
      [`${NEW};reg-id=1`, `${OLD};reg-id=1;expires=0`],
      [`${OLD};reg-id=1;expires=0`, `${NEW};reg-id=1`],
      [NEW, `${OLD};expires=0`],
    ]) {
      const shard = new VirtualShard({ policy: { lookup: { sip: 'anyone', from: [] } } });
      const knows = { extra: ['Supported: path, outbound, gruu'] };
      const first = contacts.length === 2 && contacts[0] === NEW ? OLD : `${OLD};reg-id=1`;
      const gruu = TEMP.exec(send(shard, { contacts: [first], ...knows }).text)?.[1] ?? '';
      send(shard, { cseq: 2, contacts, ...knows });
      expect(new GruuReader(shard).lookup(gruu)).toHaveLength(1);
    }
  });

  it('R5626-6-08: equal URIs, old and new: the binding stays; alone, any URI of the flow removes it', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [`${OLD};reg-id=1`] });
    send(shard, { cseq: 2, contacts: [`${OLD};reg-id=1`, `${OLD};reg-id=1;expires=0`] });
    expect(uris(shard)).toEqual([OLD_URI]);
    send(shard, { cseq: 3, contacts: [`${NEW};reg-id=1;expires=0`] });
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-10.3-30: out of order, nothing is done', () => {
    const shard = new VirtualShard();
    send(shard, { cseq: 5, contacts: [OLD] });
    const late = { cseq: 5, from: '<sip:alice@example.com>;tag=late' };
    expect(send(shard, { ...late, contacts: [NEW, `${OLD};expires=0`] }).status).toBe(500);
    expect(uris(shard)).toEqual([OLD_URI]);
  });
});
