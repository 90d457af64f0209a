// When two contacts are one binding (RFC 3261 §19.1.4): section 3 of the requirements, a test a row, seen from outside:
// after registering both under one AOR, are there two bindings or one?

import { describe, expect, it } from 'vitest';
import { answered } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

/** Registers one contact after the other; how many bindings that makes. */
function bindingsOf(...contacts: readonly string[]): number {
  const shard = new VirtualShard();
  let count = 0;
  for (const [i, contact] of contacts.entries()) {
    const answer = answered(
      shard,
      register({ requestUri: 'sips:example.com', cseq: i + 1, contacts: [`<${contact}>`] }),
    );
    expect(answer.status).toBe(200);
    count = answer.contacts.length;
  }
  return count;
}

function same(a: string, b: string): void {
  expect([a, b, bindingsOf(a, b)]).toEqual([a, b, 1]);
  expect([b, a, bindingsOf(b, a)]).toEqual([b, a, 1]);
}

function different(a: string, b: string): void {
  expect([a, b, bindingsOf(a, b)]).toEqual([a, b, 2]);
  expect([b, a, bindingsOf(b, a)]).toEqual([b, a, 2]);
}

describe('contacts compared as §19.1.4 says', () => {
  it('R3261-19.1.4-01 a sip and a sips URI are never the same', () => {
    different('sip:a@h.example.org', 'sips:a@h.example.org');
  });

  it('R3261-19.1.4-02 user and password mind the case, everything else does not', () => {
    different('sip:alice@atlanta.com', 'sip:ALICE@atlanta.com');
    different('sip:alice:secret@atlanta.com', 'sip:alice:Secret@atlanta.com');
    same('sip:alice@AtLanTa.CoM;Transport=tcp', 'SIP:alice@AtLanTa.CoM;transport=TCP');
    same('sip:alice@atlanta.com?Subject=Call', 'sip:alice@atlanta.com?subject=call');
  });

  it('R3261-19.1.4-03 the order of parameters and of URI headers does not count', () => {
    same('sip:a@h.example.org;a=1;b=2', 'sip:a@h.example.org;b=2;a=1');
    same('sip:a@h.example.org?Subject=x&Priority=urgent', 'sip:a@h.example.org?Priority=urgent&Subject=x');
  });

  it('R3261-19.1.4-04 a character and its escape are the same unless it is reserved', () => {
    same('sip:alice@atlanta.com', 'sip:%61lice@atlanta.com');
    same('sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtlanTa.CoM;Transport=tcp');
    same('sip:a%7eb@h.example.org', 'sip:a~b@h.example.org');
    same('sip:a%2Db@h.example.org', 'sip:a%2db@h.example.org');
    different('sip:a%3bb@h.example.org', 'sip:a;b@h.example.org');
    different('sip:a%2cb@h.example.org', 'sip:a,b@h.example.org');
  });

  it('R3261-19.1.4-07 a name that stands twice, as escapes hide it, needs both its values', () => {
    same('sip:a@h.example.org;x=1;%78=2', 'sip:a@H.example.org;x=1;%78=2');
    same('sip:a@h.example.org;x=1;%78=2', 'sip:a@h.example.org;%58=2;x=1');
    different('sip:a@h.example.org;x=1;%78=2', 'sip:a@h.example.org;x=1');
  });

  it('R3261-19.1.4-05 a name and the address it stands for are different', () => {
    different('sip:bob@localhost', 'sip:bob@127.0.0.1');
    different('sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4');
  });

  it('R3261-19.1.4-06 user, password, host and port are in both or in neither, defaults included', () => {
    different('sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060');
    different('sip:bob@biloxi.com:5060', 'sip:bob@biloxi.com:5061');
    different('sip:bob@biloxi.com', 'sip:biloxi.com');
    different('sip:bob:pw@biloxi.com', 'sip:bob@biloxi.com');
    different('sip:bob@biloxi.com', 'sip:bob@biloxi.org');
  });

  it('R3261-19.1.4-06 an IPv6 address is the same in every spelling (RFC 5954 §4.2)', () => {
    same('sip:a@[2001:db8::1]:5060', 'sip:a@[2001:DB8:0:0:0:0:0:1]:5060');
    same('sip:a@[2001:db8::1]', 'sip:a@[2001:0db8::0001]');
    same('sip:a@[::ffff:192.0.2.1]', 'sip:a@[::FFFF:C000:201]');
    same('sip:[::]', 'sip:[0::0]');
    different('sip:a@[2001:db8::1]', 'sip:a@[2001:db8::2]');
    different('sip:a@[2001:db8::1]', 'sip:a@[2001:db8:1::]');
    different('sip:a@[2001:db8::1]', 'sip:a@[2001:db8:0::1]:5060');
    different('sip:a@[::ffff:192.0.2.1]', 'sip:a@[::ffff:192.0.2.2]');
    different('sip:a@[::ffff:192.0.2.1]', 'sip:a@192.0.2.1');
  });

  it('R3261-19.1.4-07 a parameter in both has to match', () => {
    different('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off');
    same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;SECURITY=ON');
  });

  it.each(['user=phone', 'ttl=15', 'method=REGISTER', 'maddr=239.255.255.1'])(
    'R3261-19.1.4-08 %s in one of them only makes them differ',
    (param) => different('sip:a@h.example.org', `sip:a@h.example.org;${param}`),
  );

  it('R3261-19.1.4-09 transport in one of them only makes them differ, the default as well', () => {
    different('sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp');
    different('sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=tcp');
    different('sip:bob@biloxi.com;transport=udp', 'sip:bob@biloxi.com:6000;transport=tcp');
  });

  it('R3261-19.1.4-10 any other parameter in one of them only is ignored', () => {
    same('sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5');
    same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5');
    same('sip:carol@chicago.com;ob', 'sip:carol@chicago.com');
  });

  it('R3261-19.1.4-10 the oldest binding that matches is the one refreshed', () => {
    // security=on and security=off differ, the plain URI equals both: the older wins, every time.
    const [on, off, plain] = ['security=on', 'security=off', 'x=1'].map((param) => `sip:carol@chicago.com;${param}`);
    const shard = new VirtualShard();
    shard.send(register({ cseq: 1, contacts: [`<${on}>;expires=100`] }));
    shard.send(register({ cseq: 2, contacts: [`<${off}>;expires=200`] }));
    const answer = answered(shard, register({ cseq: 3, contacts: [`<${plain}>;expires=300`] }));
    expect(answer.contacts.map(({ uri, expires }) => [uri, expires])).toEqual([
      [plain, 300],
      [off, 200],
    ]);
  });

  it('R3261-19.1.4-11 URI headers are never ignored', () => {
    different('sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting');
    different('sip:carol@chicago.com?Subject=x', 'sip:carol@chicago.com?Subject=y');
    different('sip:carol@chicago.com?Subject=x', 'sip:carol@chicago.com?Subject=x&Priority=urgent');
  });
});
