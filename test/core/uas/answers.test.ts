// Answers: what is copied and added (RFC 3261 §8.2.6, §19.3), and where they go (§18.2, RFC 3581), seen over UDP.

import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../src/core/uas/policy.ts';
import { createHistoryMemory } from '../../../src/shard/observe/history.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { answered, request, uris, without } from '../../support/requests.ts';
import { type Answer, register, VirtualShard } from '../../support/virtual-shard.ts';

const CONTACT = '<sip:alice@192.0.2.9>';

/** The answer to an OPTIONS with this top Via, from this address. */
function viaAnswer(via: string, source: { ip?: string; port?: number }, policy: Partial<Policy> = {}): Answer {
  return answered(new VirtualShard({ policy }), request({ method: 'OPTIONS', via }), source);
}

function toTag(answer: Answer): string {
  return /;tag=(\w+)$/.exec(answer.header('To')[0])?.[1] ?? '';
}

describe('fields', () => {
  it('R3261-8.2.6.1-01 R3261-8.2.6.1-02 there is no provisional answer, with a Timestamp or without', () => {
    const shard = new VirtualShard();
    for (const extra of [[], ['Timestamp: 54']]) {
      const answers = shard.batch([register({ contacts: [CONTACT], callId: `t${extra.length}`, extra })]);
      expect(answers.map(({ status }) => status)).toEqual([200]);
    }
  });

  it.each(['SIP/2.0/UDP [fe80::1%wlan0]:5060;branch=z9hG4bK1', 'SIP/2.0/UDP fe80::aaaa:1;rport', 'SIP/2.0 h', ''])(
    'R3261-8.2.6.2-01 R3261-18.2.2-01 refuses a top Via that cannot be read where the request came from: %j',
    (via) => {
      const lower = 'SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKlower';
      const text = register({ via, contacts: ['<sip:alice@192.0.2.9>'], extra: [`Via: ${lower}`] });
      for (const source of [{ port: 40_000 }, { transport: TRANSPORT_TCP, flow: 3, port: 40_001 }]) {
        const shard = new VirtualShard();
        const answer = shard.send(text, source);
        expect([answer?.status, answer?.phrase, answer?.port]).toEqual([400, 'Malformed Via', source.port]);
        expect(answer?.text).toContain(`\r\nVia: ${via}\r\nVia: ${lower}\r\n`);
        expect(answer?.header('To')).toEqual(shard.send(text, source)?.header('To'));
        expect(uris(shard)).toEqual([]);
      }
    },
  );

  it('R3261-8.2.6.2-01 answers no datagram whose top Via cannot be read and that is no request otherwise, nor one without Via', () => {
    const shard = new VirtualShard();
    const text = register({ via: 'SIP/2.0 h', contacts: ['<sip:alice@192.0.2.9>'] });
    const over = { transport: TRANSPORT_TCP, flow: 3 };
    for (const name of ['From', 'To', 'Call-ID', 'CSeq']) {
      expect([name, shard.send(without(text, name))]).toEqual([name, undefined]);
      expect(shard.send(without(text, name), over)?.status).toBe(400);
    }
    expect(shard.send(text.replace('REGISTER sip:', 'ACK sip:').replace('1 REGISTER', '1 ACK'), over)).toBeUndefined();
    expect(shard.send(without(text, 'Via'))).toBeUndefined();
    expect(shard.send(without(text, 'Via'), over)).toBeUndefined();
    expect(shard.counter('dropped_no_via')).toBe(6);
  });

  it('R3261-8.2.6.2-01 copies From, Call-ID, CSeq and every Via as they came, in order', () => {
    const from = '"Alice \\"A\\" <x>" <sip:alice@example.com;a=1> ; tag=f1;Other="x,y"';
    const lower = [
      'SIP/2.0/TCP first.example.com:4000;branch=z9hG4bK2 , SIP/2.0/TLS [2001:db8::9]',
      'SIP/2.0/UDP third',
    ];
    const text = register({ from, callId: 'Odd<call>@id', cseq: 4294967295, contacts: [CONTACT] }).replace(
      'Max-Forwards',
      `v: ${lower[0]}\r\nVia: ${lower[1]}\r\nMax-Forwards`,
    );
    const answer = answered(new VirtualShard(), text);
    expect(answer.status).toBe(200);
    expect(answer.header('From')).toEqual([from]);
    expect(answer.header('Call-ID')).toEqual(['Odd<call>@id']);
    expect(answer.header('CSeq')).toEqual(['4294967295 REGISTER']);
    expect(answer.header('Via')).toHaveLength(3);
    expect(answer.header('Via').slice(1)).toEqual(lower);
    expect(answer.header('Via')[0]).toMatch(/^SIP\/2\.0\/UDP 192\.0\.2\.9:5060;branch=z9hG4bK\w+;rport=5060;received=/);
  });

  it('R3261-8.2.6.2-02 copies To, adds a tag where there is none and keeps to it', () => {
    const shard = new VirtualShard();
    const text = register({ to: '"Alice" <sip:alice@example.com>;x=y', contacts: [CONTACT] });
    const answer = answered(shard, text);
    expect(answer.header('To')[0]).toMatch(/^"Alice" <sip:alice@example\.com>;x=y;tag=[0-9a-f]{16}$/);
    shard.now += 1000;
    expect(answered(shard, text).header('To')).toEqual(answer.header('To'));
    shard.now += 32_000; // no longer known, but the same request: the tag is a keyed hash of it
    expect(toTag(answered(shard, text))).toBe(toTag(answer));
  });

  it('R3261-8.2.6.2-02 leaves a To with a tag alone', () => {
    const to = '<sip:alice@example.com>;tag=Given';
    expect(answered(new VirtualShard(), register({ to, contacts: [CONTACT] })).header('To')).toEqual([to]);
  });

  it.each([
    ['<sip:alice@example.com>;tag=', '<sip:alice@example.com>'],
    ['<sip:alice@example.com>;tag', '<sip:alice@example.com>'],
    ['<sip:alice@example.com> ; Tag = ', '<sip:alice@example.com> '],
    ['<sip:alice@example.com>;tag="";', '<sip:alice@example.com>'],
    ['"A;tag=" <sip:alice@example.com;tag=>;a=b;TAG=;x', '"A;tag=" <sip:alice@example.com;tag=>;a=b;x'],
    ['sip:alice@example.com;tag=;x=y ;', 'sip:alice@example.com;x=y'],
  ])('R3261-8.2.6.2-02 an empty tag is none: %s', (to, rest) => {
    for (const historyRefreshes of [false, true]) {
      const history = createHistoryMemory(1 << 16);
      const shard = new VirtualShard({ policy: { historyRefreshes }, history });
      for (const cseq of [1, 2]) {
        const answer = answered(shard, register({ to, cseq, contacts: [CONTACT] }));
        expect(answer.status).toBe(200);
        const [value] = answer.header('To');
        expect(value.replace(/;tag=[0-9a-f]{16}$/, '')).toBe(rest);
      }
      // The same request by another way (§8.2.2.2), as without a tag.
      expect(answered(shard, register({ to, cseq: 2, contacts: [CONTACT] })).status).toBe(482);
      expect(answered(shard, register({ to, cseq: 3, contacts: ['*'] })).header('To')[0]).toMatch(/;tag=[0-9a-f]{16}$/);
    }
  });

  it('R3261-8.2.6.2-02 tags refusals too', () => {
    const shard = new VirtualShard();
    for (const text of [
      request({ method: 'BYE' }),
      request({ method: 'OPTIONS', uri: 'tel:1' }),
      register({ contacts: ['*'] }),
    ])
      expect(toTag(answered(shard, text))).toMatch(/^[0-9a-f]{16}$/);
  });

  it('R3261-19.3-01 makes tags of 64 bits that do not repeat and do not count', () => {
    const shard = new VirtualShard();
    const tags = new Set<string>();
    let ones = 0;
    for (let i = 0; i < 10_000; i += 200) {
      const messages = Array.from({ length: 200 }, () => request({ method: 'OPTIONS' }));
      for (const answer of shard.batch(messages)) {
        const tag = toTag(answer);
        tags.add(tag);
        for (const digit of tag) ones += [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4][Number.parseInt(digit, 16)];
      }
    }
    expect(tags.size).toBe(10_000);
    expect(ones / (10_000 * 64)).toBeCloseTo(0.5, 2);
  });

  it('R3261-10.3-03 ignores Record-Route and gives none back', () => {
    const answer = answered(
      new VirtualShard(),
      register({ contacts: [CONTACT], extra: ['Record-Route: <sip:proxy.example.com;lr>'] }),
    );
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain('Record-Route');
  });
});

describe('received and rport', () => {
  it('R3261-18.2.1-02 adds received where sent-by is a name', () => {
    const answer = viaAnswer('SIP/2.0/UDP host.example.com;branch=z9hG4bK1', { ip: '192.0.2.4' });
    expect(answer.header('Via')).toEqual(['SIP/2.0/UDP host.example.com;branch=z9hG4bK1;received=192.0.2.4']);
  });

  it('R3261-18.2.1-02 adds received where sent-by is another address', () => {
    const answer = viaAnswer('SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1', { ip: '192.0.2.4' });
    expect(answer.header('Via')).toEqual(['SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=192.0.2.4']);
  });

  it('R3261-18.2.1-02 R3261-18.2.2-05 adds none where sent-by is the source, and answers to sent-by', () => {
    const answer = viaAnswer('SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1', { ip: '192.0.2.4', port: 5062 });
    expect(answer.header('Via')).toEqual(['SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1']);
    expect(answer.port).toBe(5062);
  });

  it.each([
    ['SIP/2.0/UDP h.example.com;received=203.0.113.7;branch=z9hG4bK1', 'SIP/2.0/UDP h.example.com;branch=z9hG4bK1'],
    ['SIP/2.0/UDP h.example.com;branch=z9hG4bK1;received=203.0.113.7', 'SIP/2.0/UDP h.example.com;branch=z9hG4bK1'],
    ['SIP/2.0/UDP h.example.com;received=203.0.113.7;x=1', 'SIP/2.0/UDP h.example.com;x=1'],
  ])('R3261-18.2.1-03 replaces a received that the client put there: %s', (via, kept) => {
    const answer = viaAnswer(via, { ip: '192.0.2.4', port: 40_000 });
    expect(answer.header('Via')).toEqual([`${kept};received=192.0.2.4`]);
    expect(answer.port).toBe(5060);
  });

  it('R3581-4-01 fills in rport and adds received, even where it equals sent-by', () => {
    const answer = viaAnswer('SIP/2.0/UDP 192.0.2.4:5060;rport;branch=z9hG4bK1', { ip: '192.0.2.4', port: 9988 });
    expect(answer.header('Via')).toEqual(['SIP/2.0/UDP 192.0.2.4:5060;rport=9988;branch=z9hG4bK1;received=192.0.2.4']);
  });

  it('R3581-4-01 fills in rport over whatever the client wrote, before or behind received', () => {
    const before = viaAnswer('SIP/2.0/UDP h:1;rport=7;received=1.2.3.4;branch=z9hG4bK1', { ip: '192.0.2.4', port: 9 });
    expect(before.header('Via')).toEqual(['SIP/2.0/UDP h:1;rport=9;branch=z9hG4bK1;received=192.0.2.4']);
    const behind = viaAnswer('SIP/2.0/UDP h:1;received=1.2.3.4;rport=7;branch=z9hG4bK1', { ip: '192.0.2.4', port: 9 });
    expect(behind.header('Via')).toEqual(['SIP/2.0/UDP h:1;rport=9;branch=z9hG4bK1;received=192.0.2.4']);
    expect(behind.port).toBe(9);
  });

  it('R3261-18.2.1-02 touches only the first value of a list', () => {
    const answer = viaAnswer('SIP/2.0/UDP a.example.com;rport , SIP/2.0/UDP b.example.com;rport', {
      ip: '192.0.2.4',
      port: 7,
    });
    expect(answer.header('Via')).toEqual([
      'SIP/2.0/UDP a.example.com;rport=7;received=192.0.2.4 , SIP/2.0/UDP b.example.com;rport',
    ]);
  });
});

describe('where the answer goes', () => {
  it('R3261-18.2.2-04 to the port of sent-by without rport, 5060 where sent-by has none', () => {
    expect(viaAnswer('SIP/2.0/UDP host:5070;branch=z9hG4bK1', { port: 40_000 }).port).toBe(5070);
    expect(viaAnswer('SIP/2.0/UDP host;branch=z9hG4bK1', { port: 40_000 }).port).toBe(5060);
  });

  it('R3581-4-02 to the port it came from with rport', () => {
    expect(viaAnswer('SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport', { port: 40_000 }).port).toBe(40_000);
  });

  it('R3581-4-02 by policy to the port it came from without rport, too', () => {
    const policy = { forceRport: true };
    for (const via of ['SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1', 'SIP/2.0/UDP host']) {
      const answer = viaAnswer(via, { ip: '192.0.2.4', port: 40_000 }, policy);
      expect(answer.port).toBe(40_000);
      expect(answer.header('Via')).toEqual([`${via};received=192.0.2.4`]);
    }
  });

  it('R3581-4-02 changes of that policy hold from the next request on, for copies of it, too', () => {
    const shard = new VirtualShard();
    const phone = { ip: '192.0.2.4', port: 40_000 };
    const sent = (callId: string) =>
      shard.batch([register({ contacts: [CONTACT], via: 'SIP/2.0/UDP h:5070;branch=z9hG4bK1', callId })], phone)[0]
        .port;
    expect(sent('a')).toBe(5070);
    shard.configure({ forceRport: true });
    expect([sent('b'), sent('b')]).toEqual([40_000, 40_000]);
  });

  it('R3261-18.2.2-03 maddr is ignored by policy: no answer goes where the request did not come from', () => {
    const answer = viaAnswer('SIP/2.0/UDP host:5070;maddr=224.0.1.75;branch=z9hG4bK1', {
      ip: '192.0.2.4',
      port: 40_000,
    });
    expect(answer.port).toBe(5070); // at the source's address, as received says
    expect(answer.header('Via')[0]).toMatch(/;maddr=224\.0\.1\.75;branch=z9hG4bK1;received=192\.0\.2\.4$/);
  });

  it('R3261-18.2.2-04 each request of a batch to its own', () => {
    const shard = new VirtualShard();
    const ports = [5070, 5071, 5072];
    const answers = shard.batch(ports.map((port) => request({ method: 'OPTIONS', via: `SIP/2.0/UDP h:${port}` })));
    expect(answers.map(({ port }) => port)).toEqual(ports);
  });

  it('R6223-4-01 R6223-4-02 leaves keep without a value: no keep-alives are asked for', () => {
    const answer = viaAnswer('SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;keep', { port: 5060 });
    expect(answer.header('Via')).toEqual(['SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;keep']);
    const cancel = answered(new VirtualShard(), request({ method: 'CANCEL', via: 'SIP/2.0/UDP 192.0.2.9;keep' }));
    expect(cancel.header('Via')).toEqual(['SIP/2.0/UDP 192.0.2.9;keep']);
  });
});

describe('datagrams', () => {
  it('R3261-18.1.1-01 answers a REGISTER of 60 kB', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT], extra: [`Subject: ${'x'.repeat(60_000)}`] });
    expect(answered(shard, text).status).toBe(200);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
  });

  it.each([65_507, 65_300, 65_000])(
    'R3261-18.1.1-01 sends no answer that was cut short where it would be larger than a datagram: %i bytes',
    (size) => {
      const shard = new VirtualShard();
      const contacts = Array.from({ length: 10 }, (_, i) => `sip:${i}@h`).join(',');
      const wide = (x: string): string => register({ contacts: [contacts], via: `SIP/2.0/UDP h;rport;x=${x}` });
      const text = wide('y'.repeat(size - wide('').length));
      expect(text).toHaveLength(size);
      const answer = shard.send(text);
      if (answer !== undefined) {
        expect(answer.text.endsWith('\r\n\r\n')).toBe(true);
        expect(answer.text.length).toBeLessThanOrEqual(65_507);
      }
      // What is not announced has not been done.
      expect(uris(shard)).toHaveLength(answer?.status === 200 ? 10 : 0);
    },
  );

  it('R3261-18.1.1-01 sends nothing where even a 500 would be larger than a datagram', () => {
    const shard = new VirtualShard();
    const via = `SIP/2.0/UDP h;rport;x=${'y'.repeat(65_340)}`;
    const lines = [
      'REGISTER sip:example.com SIP/2.0',
      `v:${via}`,
      'f:<sip:a@b>',
      't:<sip:a@example.com>',
      'i:1',
      'CSeq:1 REGISTER',
    ];
    const text = [...lines, 'm:sip:a@h', '', ''].join('\r\n');
    expect(text.length).toBeLessThanOrEqual(65_507);
    expect(shard.send(text)).toBeUndefined();
    expect(shard.send(text)).toBeUndefined();
    expect(shard.counter('dropped_send')).toBe(1);
    expect(uris(shard, '<sip:a@example.com>')).toEqual([]);
  });

  it('R3261-18.3-01 takes Content-Length bytes as the body and ignores the rest', () => {
    const shard = new VirtualShard();
    const answers = shard.batch([register({ contacts: [CONTACT] }) + request({ method: 'OPTIONS' })]);
    expect(answers.map(({ status }) => status)).toEqual([200]);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
  });

  it('R3261-18.3-02 answers 400 to a request shorter than its Content-Length, and drops such a response', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT] }).replace('Content-Length: 0', 'Content-Length: 10');
    expect(answered(shard, text).status).toBe(400);
    expect(shard.send(text.replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n'))).toBeUndefined();
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-18.3-03 takes everything as the body without Content-Length', () => {
    const text = register({ contacts: [CONTACT] }).replace('Content-Length: 0\r\n', '');
    expect(answered(new VirtualShard(), text).status).toBe(200);
  });
});
