// The redirect server as its clients see it: what is asked for a user, who may ask, and what the answer names.

import { describe, expect, it } from 'vitest';
import type { LookupPolicy } from '../../../src/core/uas/lookup-policy.ts';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { answered, request } from '../../support/requests.ts';
import { type Answer, register, VirtualShard } from '../../support/virtual-shard.ts';

const PROXY = { ip: '198.51.100.5' };
const STRANGER = { ip: '203.0.113.7' };
const lookup = (sip: LookupPolicy['sip'] = 'trusted'): { lookup: LookupPolicy } => ({
  lookup: { sip, from: ['198.51.100.0/24'] },
});

/** With room for as many answers as a server has: a burst of INVITEs must find the newest of them. */
function shardWith(...contacts: readonly string[]): VirtualShard {
  const { answerBytesMax } = DEFAULT_POLICY;
  const shard = new VirtualShard({ policy: { ...lookup(), answerBytesMax } });
  for (const [i, contact] of contacts.entries()) {
    shard.now += 1000;
    expect(answered(shard, register({ callId: `c${i}`, contacts: [contact] })).status).toBe(200);
  }
  return shard;
}

function ask(shard: VirtualShard, options: Partial<Parameters<typeof request>[0]> = {}, source = PROXY): Answer {
  const uri = 'sip:alice@example.com';
  return answered(shard, request({ method: 'INVITE', uri, to: `<${uri}>`, ...options }), source);
}

const uris = (answer: Answer): string[] => answer.contacts.map(({ uri }) => uri);

describe('a lookup by SIP', () => {
  it('R3261-8.3-01 R3261-8.3-06 draws 302 with each contact, its parameters and no more time than it has left', () => {
    const shard = shardWith('"Desk" <sip:a@192.0.2.1:5062;transport=tcp>;q=0.5;audio;expires=600');
    shard.advance(100);
    const answer = ask(shard);
    expect([answer.status, answer.phrase]).toEqual([302, 'Moved Temporarily']);
    expect(answer.header('Contact')).toEqual(['"Desk" <sip:a@192.0.2.1:5062;transport=tcp>;q=0.5;audio;expires=500']);
    shard.now += 499_001;
    expect(ask(shard).header('Contact')).toEqual(['"Desk" <sip:a@192.0.2.1:5062;transport=tcp>;q=0.5;audio']);
  });

  it('R3261-8.3-01 names the contacts by q, and of the same q the one refreshed last first', () => {
    const shard = shardWith(
      '<sip:a@192.0.2.1>;q=0.3',
      '<sip:a@192.0.2.2>',
      '<sip:a@192.0.2.3>;q=0.7',
      '<sip:a@192.0.2.4>;q=0.7',
    );
    expect(uris(ask(shard))).toEqual(['sip:a@192.0.2.2', 'sip:a@192.0.2.4', 'sip:a@192.0.2.3', 'sip:a@192.0.2.1']);
    shard.now += 1000;
    shard.send(register({ callId: 'c2', cseq: 2, contacts: ['<sip:a@192.0.2.3>;q=0.7'] }));
    expect(uris(ask(shard))[1]).toBe('sip:a@192.0.2.3');
  });

  it.each(['INVITE', 'OPTIONS', 'MESSAGE', 'SUBSCRIBE', 'BYE', 'FOO'])(
    'R3261-8.3-03 redirects %s whatever it requires and carries',
    (method) => {
      const shard = shardWith('<sip:a@192.0.2.1>');
      const answer = ask(shard, { method, extra: ['Require: bar', 'Content-Type: x/y', 'Accept: x/y'], body: 'z' });
      expect([answer.status, ...uris(answer)]).toEqual([302, 'sip:a@192.0.2.1']);
    },
  );

  it('finds the user by the Request-URI, not by To, whatever parameters it has', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    expect(ask(shard, { to: '<sip:bob@example.com>' }).status).toBe(302);
    expect(ask(shard, { uri: 'sip:%61lice@EXAMPLE.com:5060;user=phone' }).status).toBe(302);
    expect(ask(shard, { uri: 'sip:bob@example.com', to: '<sip:alice@example.com>' }).status).toBe(404);
  });

  it('R3261-8.3-05 draws 404 where there is no such user, also once all bindings have run out', () => {
    const shard = shardWith('<sip:a@192.0.2.1>;expires=60');
    expect(ask(shard, { uri: 'sip:nobody@example.com' }).status).toBe(404);
    shard.now += 60_000; // before any sweep
    expect(ask(shard).status).toBe(404);
    expect(ask(shard, { uri: 'sip:alice@example.org' }).status).toBe(404);
    expect(ask(shard, { uri: 'tel:+1' }).status).toBe(416);
  });

  it('R3261-8.3-02 never names the URI that was asked for', () => {
    const shard = shardWith('<sip:alice@example.com>');
    expect(ask(shard).status).toBe(404);
    shard.send(register({ callId: 'second', contacts: ['<sip:alice@192.0.2.1>'] }));
    expect(uris(ask(shard))).toEqual(['sip:alice@192.0.2.1']);
  });

  it('R3261-8.3-07 names only sips contacts to a sips request, else 480 with the reason', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    const refused = ask(shard, { uri: 'sips:alice@example.com' });
    expect([refused.status, ...refused.header('Warning')]).toEqual([480, '380 aorta "SIPS Not Allowed"']);
    shard.send(register({ requestUri: 'sips:example.com', callId: 's', contacts: ['<sips:a@192.0.2.2>'] }));
    expect(uris(ask(shard, { uri: 'sips:alice@example.com' }))).toEqual(['sips:a@192.0.2.2']);
    expect(uris(ask(shard)).sort()).toEqual(['sip:a@192.0.2.1', 'sips:a@192.0.2.2']);
  });

  it('does not call it a loop when two proxies ask for one call', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    const same = { callId: 'one-call', from: '<sip:carol@example.org>;tag=1' };
    expect(ask(shard, { ...same, branch: 'z9hG4bKone' }).status).toBe(302);
    expect(ask(shard, { ...same, branch: 'z9hG4bKtwo' }).status).toBe(302);
  });
});

describe('a lookup of a GRUU', () => {
  const INSTANCE = '00000000-0000-1000-8000-000000000001';
  const phone = (uri: string, id: string): string => `<${uri}>;+sip.instance="<urn:uuid:${id}>"`;
  const gruuOf = (answer: Answer, kind: 'pub' | 'temp'): string =>
    new RegExp(`;${kind}-gruu="([^"]*)"`).exec(answer.header('Contact')[0])?.[1] ?? '';

  function twoPhones(): { shard: VirtualShard; made: Answer } {
    const shard = shardWith(phone('sip:other@192.0.2.2', INSTANCE.replace(/1$/, '2')));
    const contacts = [phone('sip:a@192.0.2.1', INSTANCE)];
    const made = answered(shard, register({ callId: 'mine', contacts, extra: ['Supported: gruu'] }));
    return { shard, made };
  }

  it('R5627-6.1-02 leads to the phone of that instance alone, public and temporary, and gr stays behind', () => {
    const { shard, made } = twoPhones();
    const row = made.header('Contact').find((text) => text.includes('192.0.2.1')) ?? '';
    const both = { ...made, header: () => [row] };
    for (const kind of ['pub', 'temp'] as const) {
      const gruu = gruuOf(both, kind);
      expect(gruu).toMatch(/;gr/);
      const answer = ask(shard, { uri: gruu });
      expect([answer.status, ...uris(answer)], gruu).toEqual([302, 'sip:a@192.0.2.1']);
    }
  });

  it('R5627-6.1-03 is for proxies, who send the request on: nobody else is redirected by it', () => {
    const shard = new VirtualShard({ policy: lookup('anyone') });
    const made = answered(
      shard,
      register({ contacts: [phone('sip:a@192.0.2.1', INSTANCE)], extra: ['Supported: gruu'] }),
    );
    for (const kind of ['pub', 'temp'] as const) {
      const uri = gruuOf(made, kind);
      expect([ask(shard, { uri }).status, ask(shard, { uri }, STRANGER).status], kind).toEqual([302, 403]);
    }
    expect(ask(shard, {}, STRANGER).status).toBe(302);
  });

  it('R5627-6.1-01 R5627-6.1-02 R5627-5.3-02 draws 480 for an instance that is not there, 404 for a GRUU that never was', () => {
    const { shard } = twoPhones();
    const gone = `sip:alice@example.com;gr=urn:uuid:${INSTANCE.replace(/1$/, '9')}`;
    expect(ask(shard, { uri: gone }).status).toBe(480);
    expect(ask(shard, { uri: `sip:${'A'.repeat(64)}@example.com;gr` }).status).toBe(404);
    expect(ask(shard, { uri: 'sip:alice@example.com;gr=nonsense' }).status).toBe(404);
  });
});

describe('a temporary GRUU whose life is over', () => {
  const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
  const temporary = (answer: Answer): string => /;temp-gruu="([^"]*)"/.exec(answer.text)?.[1] ?? '';
  const at = (callId: string, cseq: number, expires = 600) =>
    register({
      callId,
      cseq,
      contacts: [`<sip:a@192.0.2.1>;${INSTANCE};expires=${expires}`],
      extra: ['Supported: gruu'],
    });

  it('R5627-5.1-06 leads nowhere once the instance has registered with another Call-ID, all others to it', () => {
    const shard = new VirtualShard({ policy: lookup() });
    const old = [temporary(answered(shard, at('a', 1))), temporary(answered(shard, at('a', 2)))];
    expect(old.map((uri) => ask(shard, { uri }).status)).toEqual([302, 302]);
    const young = temporary(answered(shard, at('b', 1)));
    expect(old.map((uri) => ask(shard, { uri }).status)).toEqual([404, 404]);
    expect(uris(ask(shard, { uri: young }))).toEqual(['sip:a@192.0.2.1']);
  });

  it('R5627-5.3-01 R5627-5.3-02 leads nowhere once the instance is gone, also when it is back; the public one does again', () => {
    const shard = new VirtualShard({ policy: lookup() });
    const both = answered(shard, at('a', 1));
    const open = /;pub-gruu="([^"]*)"/.exec(both.text)?.[1] ?? '';
    const status = () => [temporary(both), open].map((uri) => ask(shard, { uri }).status);
    expect(status()).toEqual([302, 302]);
    shard.send(at('a', 2, 0));
    expect(status()).toEqual([404, 480]);
    shard.send(at('a', 3));
    expect(status()).toEqual([404, 302]);
    shard.now += 600_000; // run out, before any sweep
    expect(status()).toEqual([404, 480]);
  });
});

describe('an instance with several bindings', () => {
  const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
  const gruu = 'sip:alice@example.com;gr=urn:uuid:00000000-0000-1000-8000-000000000001';

  it('R5626-7-02 is named once for its flows, by the one refreshed last', () => {
    const shard = new VirtualShard({ policy: lookup() });
    const extra = ['Supported: path, outbound', 'Path: <sip:edge@192.0.2.9;lr;ob>'];
    for (const flow of [1, 2]) {
      shard.now += 1000;
      const contacts = [`<sip:a@192.0.2.${flow};ob>;${INSTANCE};reg-id=${flow}`];
      expect(answered(shard, register({ callId: `f${flow}`, contacts, extra })).contacts).toHaveLength(flow);
    }
    expect(uris(ask(shard)).map((uri) => uri.split('?')[0])).toEqual(['sip:a@192.0.2.2;ob']);
    shard.now += 1000;
    const first = { callId: 'f1', cseq: 2, contacts: [`<sip:a@192.0.2.1;ob>;${INSTANCE};reg-id=1`], extra };
    expect(answered(shard, register(first)).status).toBe(200);
    expect(uris(ask(shard)).map((uri) => uri.split('?')[0])).toEqual(['sip:a@192.0.2.1;ob']);
  });

  it('R5627-6.1-02 leads a GRUU to the contact refreshed last, where none is a flow', () => {
    const shard = shardWith(`<sip:a@192.0.2.1>;${INSTANCE}`, `<sip:a@192.0.2.2>;${INSTANCE}`);
    expect(uris(ask(shard, { uri: gruu }))).toEqual(['sip:a@192.0.2.2']);
  });
});

describe('what the caller prefers', () => {
  const phones = ['<sip:a@192.0.2.1>;audio;video;q=0.5', '<sip:a@192.0.2.2>;audio;q=0.5', '<sip:a@192.0.2.3>;q=0.1'];

  it('R3840-6-04 leaves out contacts that cannot do it, or are not wanted', () => {
    const shard = shardWith(...phones);
    const from = (...extra: string[]) => uris(ask(shard, { extra }));
    expect(from('Accept-Contact: *;video;require;explicit')).toEqual(['sip:a@192.0.2.1', 'sip:a@192.0.2.3']);
    expect(from('A: *;video')).toEqual(['sip:a@192.0.2.1', 'sip:a@192.0.2.2', 'sip:a@192.0.2.3']);
    expect(from('j: *;video')).toEqual(['sip:a@192.0.2.2', 'sip:a@192.0.2.3']);
    expect(from('Request-Disposition: no-fork')).toHaveLength(1);
    expect(from('X-Other: *;video')).toEqual(['sip:a@192.0.2.2', 'sip:a@192.0.2.1', 'sip:a@192.0.2.3']);
  });

  it('R3840-6-04 takes the method for a preference where a contact says which it takes, unless none would be left', () => {
    const shard = shardWith('<sip:a@192.0.2.1>;methods="INVITE,BYE"', '<sip:a@192.0.2.2>;methods="MESSAGE"');
    expect(uris(ask(shard))).toEqual(['sip:a@192.0.2.1']);
    expect(uris(ask(shard, { method: 'MESSAGE' }))).toEqual(['sip:a@192.0.2.2']);
    expect(uris(ask(shard, { method: 'SUBSCRIBE' }))).toHaveLength(2);
  });

  it('draws 400 with more preferences than one query may have', () => {
    const shard = shardWith('<sip:a@192.0.2.2>;audio');
    const status = (extra: string[]) => ask(shard, { extra }).status;
    expect(status(new Array(16).fill('Accept-Contact: *;audio'))).toBe(302);
    expect(status(new Array(17).fill('Accept-Contact: *;audio'))).toBe(400);
    expect(status([`Reject-Contact: *;audio${',*;audio'.repeat(16)}`])).toBe(400);
    expect(status([`Accept-Contact: *;methods="${'A,'.repeat(128)}B"`])).toBe(400);
  });

  it('draws 480 where nobody is left', () => {
    const shard = shardWith('<sip:a@192.0.2.2>;audio');
    expect(ask(shard, { extra: ['Reject-Contact: *;audio'] }).status).toBe(480);
  });
});

describe('who may look up', () => {
  it('is told to nobody but the configured addresses, whether or not the user exists', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    for (const uri of ['sip:alice@example.com', 'sip:nobody@example.com'])
      expect(ask(shard, { uri }, STRANGER).status).toBe(403);
    expect(ask(shard, {}, { ip: '198.51.101.5' }).status).toBe(403);
    expect(ask(shard).status).toBe(302);
  });

  it('R3261-11.2-01 leaves OPTIONS of others as it is without redirection', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    expect(ask(shard, { method: 'OPTIONS' }, STRANGER).status).toBe(200);
    expect(ask(shard, { method: 'OPTIONS' }).status).toBe(302);
  });

  it('can be everybody or nobody', () => {
    for (const [sip, status] of [
      ['anyone', 302],
      ['authenticated', 403], // no one can log in here
      ['off', 405],
    ] as const) {
      const shard = new VirtualShard({ policy: lookup(sip) });
      shard.send(register({ contacts: ['<sip:a@192.0.2.1>'] }));
      expect(ask(shard, {}, STRANGER).status, sip).toBe(status);
    }
  });
});

describe('the INVITE server transaction', () => {
  const ack = (invite: string): string =>
    invite
      .replace(/^INVITE/, 'ACK')
      .replace('CSeq: 1 INVITE', 'CSeq: 1 ACK')
      .replace(/^To: .*$/m, '$&;tag=x');

  /** When something is sent, in ms after the answer. */
  function sendings(shard: VirtualShard, forMs: number): number[] {
    const at: number[] = [];
    const began = shard.now;
    while (shard.now - began < forMs) {
      shard.now += 50;
      for (const answer of shard.batch([])) {
        expect(answer.status).toBe(302);
        expect(answer.port).toBe(5077);
        at.push(shard.now - began);
      }
    }
    return at;
  }

  const invite = (branch: string): string =>
    request({ method: 'INVITE', uri: 'sip:alice@example.com', via: `SIP/2.0/UDP 198.51.100.5;branch=${branch};rport` });
  const from = { ...PROXY, port: 5077 };

  it('R3261-17.2.1-01 sends the answer again at growing intervals until timer H is over', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    expect(shard.send(invite('z9hG4bKa'), from)?.status).toBe(302);
    const at = sendings(shard, 60_000);
    const intervals = at.map((ms, i) => Math.round((ms - (at[i - 1] ?? 0)) / 100) / 10);
    expect(intervals).toEqual([0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]);
    expect(shard.counter('resent')).toBe(10);
    expect(shard.shard.msToNextTick(shard.now)).not.toBe(0);
  });

  it('R3261-17.2.1-01 stops at the ACK of that transaction and of no other, and answers none', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    const [first, second] = [invite('z9hG4bKb'), invite('z9hG4bKc')];
    shard.batch([first, second], from);
    expect(shard.batch([ack(first), ack(invite('z9hG4bKd'))], from)).toEqual([]);
    expect(shard.counter('acknowledged')).toBe(1);
    expect(sendings(shard, 700).length).toBe(1);
    shard.send(ack(second), from);
    expect(sendings(shard, 40_000)).toEqual([]);
  });

  it('R3261-17.2.1-01 R3261-8.3-04 answers a repeated INVITE with the same answer, and CANCEL with 200', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    const text = invite('z9hG4bKe');
    const first = answered(shard, text, from);
    expect(answered(shard, text, from).text).toBe(first.text);
    const cancel = text.replace(/^INVITE/, 'CANCEL').replace('CSeq: 1 INVITE', 'CSeq: 1 CANCEL');
    expect(answered(shard, cancel, from).status).toBe(200);
  });

  it('survives a burst of INVITEs that nobody acknowledges', () => {
    const shard = shardWith('<sip:a@192.0.2.1>');
    for (let i = 0; i < 100; i++)
      shard.batch(
        Array.from({ length: 256 }, (_, n) => invite(`z9hG4bKf${i}-${n}`)),
        from,
      );
    const before = shard.counter('resent');
    sendings(shard, 1000);
    expect(shard.counter('resent')).toBeGreaterThan(before);
    expect(ask(shard).status).toBe(302);
  });
});
