// Path (RFC 3327), Service-Route (RFC 3608) and P-Associated-URI (RFC 7315): section 8 of the requirements.

import { describe, expect, it } from 'vitest';
import { answered, bindings, statusOf } from '../../support/requests.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const CONTACT = '<sip:alice@192.0.2.1>';
const P1 = '<sip:p1.example.net;lr>';
const P2 = '<sip:p2.example.net;lr;received=sip:192.0.2.7:1234>';
const KNOWS = 'Supported: path';

function send(shard: VirtualShard, options: RegisterOptions): Answer {
  return answered(shard, register({ contacts: [CONTACT], ...options }));
}

function paths(shard: VirtualShard): string[] {
  return (storedBindings(shard.store).get('alice@example.com') ?? []).map(({ path }) => path);
}

describe('Path', () => {
  it('R3327-5.3-01 R3327-5.3-02 R3327-5.4-01 R5626-6-01 is kept in order with each contact and copied into the 200', () => {
    const shard = new VirtualShard();
    const contacts = [CONTACT, '<sip:alice@192.0.2.2>'];
    const answer = send(shard, { contacts, extra: [KNOWS, `Path: ${P1}, ${P2}`, 'Path: <sip:p3>'] });
    expect(answer.status).toBe(200);
    expect(answer.header('Path')).toEqual([`${P1}, ${P2}`, '<sip:p3>']);
    expect(paths(shard)).toEqual([`${P1}, ${P2},<sip:p3>`, `${P1}, ${P2},<sip:p3>`]);
  });

  it('R3327-5.3-02 is as in RFC 3327 §5.5.2', () => {
    const shard = new VirtualShard({ policy: { domains: ['examplehome.com', 'registrar.examplehome.com', '*'] } });
    const f4 = [
      'REGISTER sip:REGISTRAR.EXAMPLEHOME.COM SIP/2.0',
      'Via: SIP/2.0/UDP 19.31.97.3:5060;branch=z9hG4bKp3wer654363',
      'Via: SIP/2.0/UDP 178.73.76.230:5060;branch=z9hG4bKiokioukju908',
      'Via: SIP/2.0/UDP 112.68.155.4:5060;branch=z9hG4bK34ghi7ab04',
      'Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKnashds7',
      'To: UA1 <sip:UA1@EXAMPLEHOME.COM>',
      'From: UA1 <sip:UA1@EXAMPLEHOME.COM>;tag=456248',
      'Call-ID: 843817637684230@998sdasdh09',
      'CSeq: 1826 REGISTER',
      'Contact: <sip:UA1@192.0.2.4>',
      'Supported: path',
      'Path: <sip:P3.EXAMPLEHOME.COM;lr>,<sip:P1.EXAMPLEVISITED.COM;lr>',
    ].join('\r\n');
    const answer = answered(shard, `${f4}\r\n\r\n`);
    expect([answer.status, answer.header('Via').length, answer.contacts[0].uri]).toEqual([200, 4, 'sip:UA1@192.0.2.4']);
    expect(answer.header('Path')).toEqual(['<sip:P3.EXAMPLEHOME.COM;lr>,<sip:P1.EXAMPLEVISITED.COM;lr>']);
    expect(answer.header('Supported')).toEqual(['path, outbound']);
  });

  it('R3327-5.3-03 from a client that does not know it is taken and not repeated (lazy, the default)', () => {
    const shard = new VirtualShard();
    const answer = send(shard, { extra: [`Path: ${P1}`] });
    expect([answer.status, answer.header('Path'), answer.header('Supported')]).toEqual([200, [], []]);
    expect(paths(shard)).toEqual([P1]);
  });

  it('R3327-5.3-03 from such a client draws 420 (strict)', () => {
    const shard = new VirtualShard({ policy: { path: 'strict' } });
    const answer = send(shard, { extra: [`Path: ${P1}`] });
    expect([answer.status, answer.header('Unsupported')]).toEqual([420, ['path']]);
    expect(bindings(shard)).toEqual([]);
    const known = send(shard, { cseq: 2, extra: [`Path: ${P1}`, KNOWS] });
    expect([known.status, known.header('Path')]).toEqual([200, [P1]]);
    expect(send(shard, { cseq: 3, extra: [`Path: ${P1}`, 'Require: path'] }).status).toBe(200);
    expect(send(shard, { cseq: 4 }).status).toBe(200);
  });

  it('R3327-5.3-03 is kept and repeated to nobody (off)', () => {
    const shard = new VirtualShard({ policy: { path: 'off' } });
    expect(send(shard, { extra: [`Path: ${P1}`, KNOWS] }).header('Path')).toEqual([]);
    expect(paths(shard)).toEqual([P1]);
  });

  it('R3327-5.3-04 is what the last refresh said', () => {
    const shard = new VirtualShard();
    send(shard, { extra: [KNOWS, `Path: ${P1}, ${P2}`] });
    send(shard, { cseq: 2, extra: [KNOWS, `Path: ${P2}`] });
    expect(paths(shard)).toEqual([P2]);
    expect(send(shard, { cseq: 3, extra: [KNOWS] }).header('Path')).toEqual([]);
    expect(paths(shard)).toEqual(['']);
  });

  it('R3327-5.3-01 of another contact stays as it is', () => {
    const shard = new VirtualShard();
    send(shard, { extra: [`Path: ${P1}`] });
    send(shard, { callId: 'other', contacts: ['<sip:alice@192.0.2.2>'], extra: [`Path: ${P2}`] });
    expect(paths(shard)).toEqual([P1, P2]);
  });

  it.each([
    '<sip:p1;lr>',
    '"Proxy, one" <sip:p1;lr;ob>;x=y , <sips:p2>;flag;v="a,b"',
    'Some Proxy <sip:[2001:db8::1]:5070;lr>',
    '<sip:token%3D@p1;lr?X-Y=z>',
  ])('R3327-4-01 is read like Route: %s', (path) => {
    const shard = new VirtualShard();
    expect(send(shard, { extra: [KNOWS, `Path: ${path}`] }).header('Path')).toEqual([path]);
    expect(paths(shard)).toEqual([path]);
  });

  it.each([
    'sip:p1;lr',
    '<sip:p1',
    '<sip:p1;lr>,sip:p2',
    '<tel:+1>',
    '<sip:p1> <sip:p2>',
    '<sip:p1>;',
    '<sip:p1>;x=',
    '"open <sip:p1>',
    '<sip:>',
    '',
    ',',
    '<sip:p1;lr>,',
    '<sip:p1;lr>,,<sip:p2;lr>',
    '<sip:p_1;lr>',
    '<sip:p..1;lr>',
    '<sip:1234567890;lr>',
    '<sip:\xfc@p1;lr>',
    '<sip:u@p1;lr;x=a@b>',
    '"\xfc" <sip:p1;lr>',
    '<sip:p1;lr>;x=a/b',
  ])('R3327-4-01 that is malformed draws 400 and changes nothing: %s', (path) => {
    const shard = new VirtualShard();
    expect(send(shard, { extra: [KNOWS, `Path: ${path}`] }).status).toBe(400);
    expect(bindings(shard)).toEqual([]);
  });

  it('R3327-4-01 has a limit', () => {
    const shard = new VirtualShard({ policy: { pathBytesMax: 60 } });
    expect(send(shard, { extra: [`Path: ${P1}`, `Path: ${P1}`] }).status).toBe(200);
    const answer = send(shard, { cseq: 2, extra: [`Path: ${P1}`, `Path: ${P1}`, `Path: ${P1}`] });
    expect([answer.status, answer.phrase]).toEqual([400, 'Path Too Long']);
  });
});

describe('Service-Route', () => {
  const serviceRoutes = {
    'example.com': ['<sip:edge.example.com;lr>', '<sip:hsp.example.com;lr>'],
    '*': ['<sip:else.example.com;lr>'],
  };

  it('R3608-6.3-01 R3608-6.3-02 is that of the domain, in order, on a fetch as well', () => {
    const shard = new VirtualShard({ policy: { serviceRoutes, domains: ['example.com', 'other.example'] } });
    const expected = ['<sip:edge.example.com;lr>, <sip:hsp.example.com;lr>'];
    expect(send(shard, {}).header('Service-Route')).toEqual(expected);
    expect(send(shard, { cseq: 2, contacts: [] }).header('Service-Route')).toEqual(expected);
    const other = { requestUri: 'sip:Other.Example', to: '<sip:bob@OTHER.example>', callId: 'b' };
    expect(send(shard, other).header('Service-Route')).toEqual(['<sip:else.example.com;lr>']);
  });

  it('R5630-5.2-03 has the scheme that the operator wrote, for a sips contact as well', () => {
    const shard = new VirtualShard({ policy: { serviceRoutes } });
    const options = { requestUri: 'sips:example.com', contacts: ['<sips:alice@192.0.2.1>'] };
    expect(send(shard, options).header('Service-Route')).toEqual([
      '<sip:edge.example.com;lr>, <sip:hsp.example.com;lr>',
    ]);
  });

  it('R3608-6.3-01 is not there where none is configured, nor in a refusal', () => {
    expect(send(new VirtualShard(), {}).header('Service-Route')).toEqual([]);
    const shard = new VirtualShard({ policy: { serviceRoutes: { 'example.net': ['<sip:x;lr>'] } } });
    expect(send(shard, {}).header('Service-Route')).toEqual([]);
    const none = new VirtualShard({ policy: { serviceRoutes: { ...serviceRoutes, 'example.com': [] } } });
    for (const cseq of [1, 2]) expect(send(none, { cseq }).header('Service-Route')).toEqual([]);
    const all = new VirtualShard({ policy: { serviceRoutes } });
    expect(send(all, { contacts: [CONTACT], expires: 1 }).header('Service-Route')).toEqual([]);
  });
});

describe('P-Associated-URI', () => {
  const associatedUris = { 'alice@example.com': ['<sip:alice.smith@example.com>', '<tel:+12145550102>'] };

  it('R7315-4.1-01 lists the identities of the AOR', () => {
    const shard = new VirtualShard({ policy: { associatedUris } });
    const expected = ['<sip:alice.smith@example.com>, <tel:+12145550102>'];
    expect(send(shard, { to: '<sips:%61lice@EXAMPLE.com>' }).header('P-Associated-URI')).toEqual(expected);
    expect(send(shard, { to: '<sip:Alice@example.com>', callId: 'x' }).header('P-Associated-URI')).toEqual([]);
    expect(statusOf(shard, { to: '<sip:bob@example.com>', callId: 'b', contacts: [CONTACT] })).toBe(200);
  });
});
