// Callee capabilities (RFC 3840) and push parameters (RFC 8599) of contacts: section 14 of the requirements, the registrar's
// part: kept, returned, forgotten.

import { describe, expect, it } from 'vitest';
import { answered } from '../../support/requests.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

function send(shard: VirtualShard, options: RegisterOptions): Answer {
  return answered(shard, register(options));
}

describe('feature parameters', () => {
  const features =
    ';audio;video;automata;class="business";duplex="full";methods="INVITE,BYE";events="presence,!dialog"';
  const more = ';+sip.message="TRUE";+g.oma.sip-im;+sip.byteless="<sip>";language="en,de";priority="#=5,#-1:3"';

  it('R3840-6-01 come back as they were sent, until the contact goes', () => {
    const shard = new VirtualShard();
    const [{ row }] = send(shard, { contacts: [`<sip:alice@192.0.2.1>${features}${more};q=0.5`] }).contacts;
    expect(row).toBe(`<sip:alice@192.0.2.1>${features}${more};q=0.5;expires=3600`);
    expect(send(shard, { callId: 'fetch' }).contacts[0].row).toBe(row);
  });

  it('R3840-6-02 are forgotten where a refresh leaves them out', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [`<sip:alice@192.0.2.1>${features}`] });
    const answer = send(shard, { cseq: 2, contacts: ['<sip:alice@192.0.2.1>;audio'] });
    expect(answer.contacts[0].row).toBe('<sip:alice@192.0.2.1>;audio;expires=3600');
  });
});

describe('push parameters', () => {
  const push = 'pn-provider=acme;pn-param=acme%3bparam;pn-prid=ZTY4ZDJlMzODE1NmUgKi0K;pn-purr=a%20b';

  it('R8599-8.7-01 R8599-5.6.1-01 come back byte for byte, and nothing is said of push', () => {
    const shard = new VirtualShard();
    const answer = send(shard, { contacts: [`<sip:alice@192.0.2.1;${push}>`] });
    expect([answer.status, answer.contacts[0].uri]).toEqual([200, `sip:alice@192.0.2.1;${push}`]);
    expect(answer.header('Feature-Caps')).toEqual([]);
  });

  it.each(['pn-provider=acme;pn-prid', 'PN-Param=;pn-provider', 'pn-provider;pn-purr', 'pn-prid='])(
    'R8599-8.7-01 need a value but for the provider: %s draws 400',
    (params) => {
      const shard = new VirtualShard();
      const answer = send(shard, { contacts: ['<sip:a@192.0.2.1>', `<sip:alice@192.0.2.1;${params}>`] });
      expect([answer.status, answer.phrase]).toEqual([400, 'Push Parameter Needs A Value']);
    },
  );

  it("R8599-8.7-01 may lack the provider's, and others are not looked at", () => {
    const contacts = ['<sip:alice@192.0.2.1;pn-provider;pn-prid=1;pn-prids;xpn-prid;pn-param=a>'];
    expect(send(new VirtualShard(), { contacts }).status).toBe(200);
  });

  it('R8599-5.6.1-01 make no difference to which contact is meant, but where both have them (§19.1.4)', () => {
    const shard = new VirtualShard();
    send(shard, { contacts: [`<sip:alice@192.0.2.1;${push}>`] });
    expect(send(shard, { cseq: 2, contacts: ['<sip:alice@192.0.2.1>'] }).contacts).toHaveLength(1);
    expect(
      send(shard, { cseq: 3, contacts: ['<sip:alice@192.0.2.1;pn-provider=acme;pn-prid=x>'] }).contacts,
    ).toHaveLength(1);
    expect(
      send(shard, { cseq: 4, contacts: ['<sip:alice@192.0.2.1;pn-provider=acme;pn-prid=y>'] }).contacts,
    ).toHaveLength(2);
  });
});
