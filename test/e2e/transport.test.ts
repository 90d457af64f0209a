// Messages, transactions and UDP over real sockets: RFC 3261 §7, §17.2, §18 and §20, RFC 3581.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import {
  type Answer,
  bindings,
  contacts,
  header,
  headers,
  newBranch,
  newToken,
  type RegisterFields,
  SipClient,
  sip,
  tagOf,
} from '../support/sip-client.ts';

const PHONE = '<sip:a@127.0.0.1:1>';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

describe.each(['auto', 'dgram'] as const)('--udp %s', (udp) => {
  let aorta: Aorta;
  let client: SipClient;
  let users = 0;

  beforeAll(async () => {
    aorta = await Aorta.start({ udp });
    client = await SipClient.open(aorta);
  });

  afterAll(() => client?.close());

  const newAor = (): string => `user${++users}@example.com`;
  const register = (fields: RegisterFields): Promise<Answer> => client.request(client.register(fields));

  describe('messages', () => {
    it('R3261-8.2.2.1-02 R3261-10.3-13 the address that the server listens on leaves the domain to To', async () => {
      for (const host of ['127.0.0.1', `127.0.0.1:${aorta.port}`, 'example.com.']) {
        const answer = await register({ aor: newAor(), requestUri: `sip:${host}`, contacts: [PHONE] });
        expect([host, answer.status]).toEqual([host, 200]);
      }
      const options = await client.request(client.other('OPTIONS', 'sip:127.0.0.1', [], {}));
      expect(options.status).toBe(200);
    });

    it.each([
      ['R3261-8.2.2-02 rows that are none', ['X My Header: 1', 'X-Nothing', 'User-Agent: a\x01b']],
      ['R3261-8.2.2-01 unknown headers', ['X-Anything: ;;,,']],
      ['R3261-8.2.2-02 R3261-20.17-01 broken headers it does not need', ['Date: yesterday', 'Subject: "']],
      [
        'R3261-7.3.2-01 headers of responses',
        ['Min-Expires: 5', 'WWW-Authenticate: Digest realm="x"', 'Unsupported: x'],
      ],
      ['R3261-25.1-02 UTF-8', ['Subject: \xd0\x9f\xd1\x80']],
      ['R3261-7.4-01 Transfer-Encoding', ['Transfer-Encoding: chunked']],
      [
        'R3261-7.3.1-04 two Authorization rows',
        ['Authorization: Digest a="b", c="d"', 'Authorization: NoOneKnows e=f, g=h'],
      ],
    ])('%s do not keep a phone from registering', async (_, lines) => {
      const answer = await register({ aor: newAor(), contacts: [PHONE], headers: lines });
      expect(answer.status, answer.text).toBe(200);
      expect(bindings(answer).size).toBe(1);
    });

    it('R3261-7.3.3-01 R3261-18.3-03 compact forms only, no Content-Length', async () => {
      const text = `REGISTER sip:example.com SIP/2.0\r\nv:${client.via()}\r\nf:<sip:${newAor()}>;tag=1\r\nt:<sip:user${users}@example.com>\r\ni:${newToken()}\r\nCSeq:1 REGISTER\r\nMax-Forwards:70\r\nm:${PHONE}\r\n\r\n`;
      const answer = await client.request(text);
      expect(answer.status, answer.text).toBe(200);
      expect(bindings(answer).size).toBe(1);
    });

    it('R3261-7.3.1-01 R3261-7.3.1-02 any case, spaces before the colon, folded lines', async () => {
      const text = client
        .register({ aor: newAor(), contacts: [PHONE] })
        .replace('Max-Forwards: 70', 'MaX-fOrWaRdS \t: 5')
        .replace(`Contact: ${PHONE}`, `CONTACT :\r\n ${PHONE}\r\n\t;expires\r\n =\r\n 600`);
      const answer = await client.request(text);
      expect(answer.status, answer.text).toBe(200);
      expect([...bindings(answer).values()]).toEqual([600]);
    });

    it('R3261-25.1-01 quotes hide commas, semicolons and brackets', async () => {
      const name = '"a, \\"b\\" <c>; d" <sip:quoted@h>;expires=600;note="x, y; <z>"';
      const answer = await register({ aor: newAor(), contacts: [name, '<sip:second@h>'] });
      expect(answer.status, answer.text).toBe(200);
      expect([...bindings(answer).keys()].sort()).toEqual(['sip:quoted@h', 'sip:second@h']);
    });

    it('R3261-20-01 without brackets, parameters are the header’s', async () => {
      const answer = await register({ aor: newAor(), contacts: ['sip:a@h;expires=600'] });
      expect(contacts(answer)[0]).toMatch(/^<sip:a@h>;.*expires=600/);
    });

    it('R3261-19.1.2-01 escapes are kept, raw spaces refused', async () => {
      const aor = newAor();
      expect([...bindings(await register({ aor, contacts: ['<sip:a%20b@h>'] })).keys()]).toEqual(['sip:a%20b@h']);
      expect((await register({ aor, contacts: ['<sip:a b@h>'] })).status).toBe(400);
    });

    it('R3261-20.22-01 Max-Forwards 0 is no reason to refuse; nor is its absence', async () => {
      const zero = client.register({ aor: newAor() }).replace('Max-Forwards: 70', 'Max-Forwards: 0');
      expect((await client.request(zero)).status).toBe(200);
      const none = client.register({ aor: newAor() }).replace('Max-Forwards: 70\r\n', '');
      expect((await client.request(none)).status).toBe(200);
    });

    it('R3261-20.42-01 spaces within Via', async () => {
      const via = `SIP / 2.0 / UDP 127.0.0.1: ${client.port};ttl=16;branch=${newBranch()};rport`;
      expect((await register({ aor: newAor(), via })).status).toBe(200);
    });

    it('R3261-18.1.1-01 R3261-21.4.11-01 a datagram of 60 kB has an answer', async () => {
      const answer = await register({ aor: newAor(), headers: [`X-Long: ${'x'.repeat(60_000)}`] });
      expect([200, 413, 513]).toContain(answer.status);
      const many = await register({ aor: newAor(), headers: Array.from({ length: 500 }, (_, n) => `X-${n}: y`) });
      expect([200, 400, 413, 513]).toContain(many.status);
    });
  });

  describe('answers', () => {
    it('R3261-19.3-01 To tags: no two alike, nothing to count along with', async () => {
      const tags = new Set<string>();
      for (let n = 0; n < 300; n++) tags.add(tagOf(header((await register({ aor: newAor() })).text, 'To')) ?? '');
      expect(tags.size).toBe(300);
      for (const tag of tags) expect(tag.length).toBeGreaterThanOrEqual(8);
      for (let at = 0; at < 4; at++) {
        const values = new Set([...tags].map((tag) => tag.slice(at * 2, at * 2 + 2)));
        expect(values.size, 'every part of the tag varies').toBeGreaterThan(50);
      }
    });

    it('R3261-20.1-01 OPTIONS without Accept, and with an empty one', async () => {
      expect((await client.request(client.other('OPTIONS', 'sip:example.com'))).status).toBe(200);
      expect((await client.request(client.other('OPTIONS', 'sip:example.com', ['Accept:']))).status).toBeLessThan(500);
    });

    it('R3261-10.3-01 R3261-18.1.1-01 ten long contacts make a long 200, complete', async () => {
      const long = Array.from({ length: 10 }, (_, n) => `<sip:c${n}@h;x=${'y'.repeat(950)}>`);
      const answer = await register({ aor: newAor(), contacts: long });
      expect(answer.status).toBe(200);
      expect(bindings(answer).size).toBe(10);
      expect(answer.text.endsWith('\r\n\r\n')).toBe(true);
    });
  });

  describe('transactions', () => {
    it('R3261-17.2.2-02 R3261-17.2.2-03 R3261-8.2.7-01 a retransmission gets the same bytes, others’ changes in between or not', async () => {
      const aor = newAor();
      const text = client.register({ aor, contacts: [PHONE], expires: 600 });
      const first = await client.request(text);
      await register({ aor, contacts: ['<sip:other@h>'] });
      await pause(1100); // long enough for another date and another remaining time
      expect((await client.request(text)).text).toBe(first.text);
      expect((await client.request(text)).text).toBe(first.text);
      expect((await client.fetch(aor)).size).toBe(2);
    });

    it('R3261-17.2.2-01 copies that come together are carried out once and answered alike', async () => {
      const aor = newAor();
      const text = client.register({ aor, contacts: [PHONE], expires: 600 });
      client.inbox.length = 0;
      const first = client.answerTo(text);
      for (let n = 0; n < 5; n++) client.send(text);
      const { text: answer, status } = await first;
      expect(status).toBe(200);
      expect((await client.fetch(aor)).size).toBe(1); // behind all copies
      for (const copy of client.inbox) expect(copy.text).toBe(answer);
    });

    it('R3261-17.2.3-01 the same branch from another sent-by is another transaction', async () => {
      const branch = newBranch();
      const other = await SipClient.open(aorta);
      const aors = [newAor(), newAor()];
      await client.request(client.register({ aor: aors[0], branch, contacts: ['<sip:one@h>'] }));
      const answer = await other.request(other.register({ aor: aors[1], branch, contacts: ['<sip:two@h>'] }));
      expect([...bindings(answer).keys()]).toEqual(['sip:two@h']);
      // The method is part of the key, too.
      const options = await client.request(client.other('OPTIONS', 'sip:example.com', [], { branch }));
      expect(header(options.text, 'CSeq')).toBe('1 OPTIONS');
      other.close();
    });

    it('R3261-17.2.3-02 without the magic cookie, retransmissions are known by their other parts', async () => {
      const aor = newAor();
      const via = `SIP/2.0/UDP 127.0.0.1:${client.port};rport`;
      const fields = { aor, via, from: `<sip:${aor}>;tag=1`, callId: newToken(), contacts: [PHONE] };
      const text = client.register({ ...fields, cseq: 1 });
      const first = await client.request(text);
      expect(first.status).toBe(200);
      expect((await client.request(text)).text).toBe(first.text);
      expect((await client.request(client.register({ ...fields, cseq: 2 }))).status).toBe(200);
    });
  });

  describe('where answers go', () => {
    it('R3581-4-01 R3581-4-02 R3581-4-03 rport: back to the source, from the address that was asked', async () => {
      const via = `SIP/2.0/UDP 127.0.0.1:9;branch=${newBranch()};rport`;
      const answer = await register({ aor: newAor(), via });
      expect(header(answer.text, 'Via')).toContain(`;rport=${client.port}`);
      expect(header(answer.text, 'Via')).toContain(';received=127.0.0.1');
      expect([answer.address, answer.port]).toEqual([aorta.address, aorta.port]);
    });

    it('R3261-18.2.1-02 R3261-18.2.2-04 no rport: to the source address at the port of sent-by', async () => {
      const port = await freePort();
      const there = await SipClient.open(aorta, '127.0.0.1', port);
      const via = `SIP/2.0/UDP phone.example.net:${port};branch=${newBranch()}`;
      const text = client.register({ aor: newAor(), via });
      const answer = there.answerTo(text);
      client.send(text);
      expect(header((await answer).text, 'Via')).toContain(';received=127.0.0.1');
      there.close();
    });

    it('R3261-18.2.2-05 sent-by is the source: answered there, without received', async () => {
      const via = `SIP/2.0/UDP 127.0.0.1:${client.port};branch=${newBranch()}`;
      const answer = await register({ aor: newAor(), via });
      expect(header(answer.text, 'Via')).not.toContain('received');
    });

    it('R3261-18.2.1-03 a received of the client’s own steers nothing', async () => {
      const via = `SIP/2.0/UDP 127.0.0.1:${client.port};received=127.0.0.9;branch=${newBranch()};rport`;
      const answer = await register({ aor: newAor(), via });
      expect(header(answer.text, 'Via')).not.toContain('127.0.0.9');
      expect(header(answer.text, 'Via')).toContain('received=127.0.0.1');
    });

    it('R3261-18.2.2-03 maddr is ignored: nobody is made a target by it', async () => {
      const victim = await SipClient.open(aorta);
      const via = `SIP/2.0/UDP 127.0.0.9:${victim.port};maddr=127.0.0.1;branch=${newBranch()};rport`;
      const answer = await register({ aor: newAor(), via });
      expect(answer.status).toBe(200);
      expect(victim.inbox).toEqual([]);
      victim.close();
    });

    it('R6223-4-01 keep is left without a value: no keep-alives are promised', async () => {
      const answer = await register({ aor: newAor(), via: `${client.via()};keep` });
      expect(header(answer.text, 'Via')).toMatch(/;keep(;|$)/);
    });

    it('R3581-4-01 R5118-4.5-01 over IPv6: received without brackets, answers from the address that was asked', async () => {
      const six = await Aorta.start({ udp, address: '::1' });
      const phone = await SipClient.open(six, '::1');
      const text = phone.register({ aor: newAor(), contacts: [`<sip:six@[::1]:${phone.port}>`] });
      const answer = await phone.request(text);
      expect(answer.status, answer.text).toBe(200);
      expect(header(answer.text, 'Via')).toContain(`SIP/2.0/UDP [::1]:${phone.port}`);
      expect(header(answer.text, 'Via')).toMatch(/;received=::1(;|$)/);
      expect([...bindings(answer).keys()]).toEqual([`sip:six@[::1]:${phone.port}`]);
      expect([answer.address, answer.port]).toEqual(['::1', six.port]);
      phone.close();
      await six.stop();
    });

    it('R3261-8.2.6.2-01 R3261-7.3.1-03 the Vias below the top are copied as they are, in order', async () => {
      const lower = [
        'SIP/2.0/TLS a.example;branch=z9hG4bK1;x="y, z"',
        'SIP/2.0/UDP [2001:db8::1]:5070;received=2001:db8::2',
      ];
      const answer = await register({ aor: newAor(), headers: lower.map((via) => `Via: ${via}`) });
      expect(headers(answer.text, 'Via').slice(1)).toEqual(lower);
    });

    it('R6026-8.9-01 a loop of our own answer draws nothing', async () => {
      const answer = await register({ aor: newAor() });
      client.inbox.length = 0;
      client.send(answer.text);
      client.send(
        sip([
          'SIP/2.0 100 Trying',
          `Via: ${client.via()}`,
          'CSeq: 1 REGISTER',
          'Call-ID: z',
          'From: <sip:a@b>;tag=1',
          'To: <sip:a@b>',
        ]),
      );
      await register({ aor: newAor() });
      expect(client.inbox).toEqual([]);
    });
  });
});
