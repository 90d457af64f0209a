// The running command: how it ends, what keeps it from starting, several shards, and one request for every code it answers.

import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { keeps, Load } from '../support/load.ts';
import {
  type Answer,
  header,
  headers,
  newBranch,
  newToken,
  SipClient,
  sip,
  splitList,
  tagOf,
} from '../support/sip-client.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

describe.each(['auto', 'dgram'] as const)('life of the server, --udp %s', (udp) => {
  it('SIGTERM under load exits 0 and loses nothing that was acknowledged', async () => {
    const aorta = await Aorta.start({ udp });
    const load = new Load({ port: aorta.port, aors: 500, window: 64, rounds: 1000, interval: () => 3600 });
    await load.open();
    load.start();
    await poll('1000 acknowledged requests', 15_000, () => load.acknowledged >= 1000, 5);
    await aorta.stop();
    load.stop();
    expect(load.refused).toEqual([]);

    const again = await aorta.restart();
    const client = await SipClient.open(again);
    for (const line of load.lines.filter((one) => one.promised)) {
      const askedAt = Date.now();
      const remaining = [...(await client.fetch(line.aor)).values()][0];
      // An unanswered refresh asked for the same interval a little later: within the window of the load.
      const latest = line.promised && { ...line.promised, answeredAt: Date.now() };
      expect(keeps(latest, remaining, askedAt, Date.now()), `${line.aor}: ${remaining}`).toBe(true);
    }
    client.close();
    load.close();
    await again.stop();
  });

  it('a port that is taken ends it with 1 and a message naming the port', async () => {
    const port = await freePort();
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind({ port, address: '127.0.0.1', exclusive: true }, resolve));
    const aorta = await Aorta.launch({ udp, port });
    const exit = await aorta.child.end(15_000);
    taken.close();
    expect(exit.code, aorta.child.output()).toBe(1);
    expect(aorta.stderr).toContain(String(port));
  });

  it('a port that another Aorta has ends it with 1, although both could share it', async () => {
    const first = await Aorta.start({ udp });
    const second = await Aorta.launch({ udp, port: first.port });
    const exit = await second.child.end(15_000);
    expect(exit.code, second.child.output()).toBe(1);
    expect(second.stderr).toContain(String(first.port));
    await first.stop();
  });

  it('several shards give one AOR one set of bindings, whatever ports its phones use', async () => {
    const aorta = await Aorta.start({ udp, shards: 2 });
    const clients = await Promise.all(Array.from({ length: 24 }, () => SipClient.open(aorta)));
    const register = (client: SipClient, n: number): Promise<Answer> =>
      client.request(client.register({ aor: 'shared@example.com', contacts: [`<sip:phone${n % 8}@127.0.0.1:1>`] }));
    const answers = await Promise.all(clients.map((client, n) => register(client, n)));
    for (const answer of answers) expect(answer.status, answer.text).toBe(200);
    const wanted = Array.from({ length: 8 }, (_, n) => `sip:phone${n}@127.0.0.1:1`);
    for (const client of clients) expect([...(await client.fetch('shared@example.com')).keys()].sort()).toEqual(wanted);

    // Removals from yet other ports: each answer shows what is left, and at the end nothing is.
    const removals = await Promise.all(
      wanted.map((uri, n) =>
        clients[23 - n].request(
          clients[23 - n].register({ aor: 'shared@example.com', contacts: [`<${uri}>;expires=0`] }),
        ),
      ),
    );
    const left = removals.map((answer) => headers(answer.text, 'Contact').flatMap(splitList).length);
    expect(left.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const client of clients) client.close();
    await aorta.stop();
  });
});

describe('starting', () => {
  it('a data directory in use ends it with 1 and a message naming it', async () => {
    const first = await Aorta.start();
    const second = await Aorta.launch({ data: first.data });
    const exit = await second.child.end(15_000);
    expect(exit.code, second.child.output()).toBe(1);
    expect(second.stderr).toContain(first.data);
    await first.stop();
    const third = await Aorta.start({ data: first.data });
    await third.stop();
  });

  it('says in one line that the process before was killed, and nothing of one that stopped in order', async () => {
    const told = (aorta: Aorta) => aorta.stderr.split('\n').filter((line) => line.includes('did not stop in order'));
    const first = await Aorta.start();
    expect(told(first)).toEqual([]);
    const { pid } = first.child.process;
    await first.kill9();
    const second = await first.restart();
    expect(told(second)).toEqual([expect.stringContaining(`"process":${pid}`)]);
    await second.stop();
    const third = await second.restart();
    expect(told(third)).toEqual([]);
    await third.stop();
  });

  it('prints one line per listener, then ready', async () => {
    const aorta = await Aorta.start();
    const lines = aorta.stdout.split('\n');
    expect(lines.findIndex((line) => line.startsWith('listening') && line.includes(String(aorta.port)))).toBe(0);
    expect(lines[1]).toMatch(/^ready/);
    await aorta.stop();
  });
});

describe('a request for every code', () => {
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    aorta = await Aorta.start();
    client = await SipClient.open(aorta);
  });

  afterAll(() => client.close());

  const ask = (text: string): Promise<Answer> => client.request(text);
  const code = async (text: string): Promise<number> => (await ask(text)).status;

  it('R3261-10.3-07 R3261-8.2.2.1-02 R3261-10.3-13 404 to another domain, in Request-URI or To', async () => {
    expect(await code(client.register({ requestUri: 'sip:other.example' }))).toBe(404);
    expect(await code(client.register({ to: '<sip:a@atlanta.example>' }))).toBe(404);
    expect(await code(client.other('OPTIONS', 'sip:other.example'))).toBe(404);
  });

  it('R3261-8.2.2.1-01 416 to a Request-URI of another scheme', async () => {
    expect(await code(client.register({ requestUri: 'tel:+12125551212' }))).toBe(416);
    expect(await code(client.other('OPTIONS', 'nobodyKnowsThisScheme:totallyopaquecontent'))).toBe(416);
  });

  it('R3261-8.2.2.3-01 R3261-10.3-08 420 names exactly what was not understood, and nothing is stored', async () => {
    const text = client.register({
      aor: 'strict@example.com',
      contacts: ['<sip:a@127.0.0.1:1>'],
      headers: ['Require: foo, bar'],
    });
    const answer = await ask(text);
    expect(answer.status).toBe(420);
    expect(headers(answer.text, 'Unsupported').flatMap(splitList).sort()).toEqual(['bar', 'foo']);
    expect((await client.fetch('strict@example.com')).size).toBe(0);
  });

  it('R3261-8.2.2.3-03 Proxy-Require is none of a registrar’s business', async () => {
    expect(await code(client.register({ headers: ['Proxy-Require: foo'] }))).toBe(200);
  });

  it('R3261-8.2.2.2-01 R3261-8.2.2.2-02 482 to a request that came by two ways', async () => {
    const same = {
      aor: 'merged@example.com',
      from: `<sip:merged@example.com>;tag=${newToken()}`,
      callId: newToken(),
      contacts: ['<sip:a@127.0.0.1:1>'],
    };
    expect(await code(client.register(same))).toBe(200);
    expect(await code(client.register(same))).toBe(482);
    expect((await client.fetch('merged@example.com')).size).toBe(1);
  });

  it('R3261-9.2-01 481 to a CANCEL for nothing, even with Require', async () => {
    expect(await code(client.other('CANCEL', 'sip:example.com'))).toBe(481);
    // R3261-8.2.2.3-02
    expect(await code(client.other('CANCEL', 'sip:example.com', ['Require: foo']))).toBe(481);
  });

  it('R3261-9.2-02 200 to a CANCEL of a known transaction, which stays as it is', async () => {
    const fields = { callId: newToken(), branch: newBranch(), from: `<sip:alice@example.com>;tag=${newToken()}` };
    const first = await ask(
      client.register({ ...fields, aor: 'cancel@example.com', contacts: ['<sip:a@127.0.0.1:1>'] }),
    );
    expect(first.status).toBe(200);
    const to = '<sip:cancel@example.com>';
    expect(await code(client.other('CANCEL', 'sip:example.com', [], { ...fields, to }))).toBe(200);
    expect((await client.fetch('cancel@example.com')).size).toBe(1);
  });

  it('R3261-21.5.6-01 505 to another version; sip/2.0 in any case is this one', async () => {
    const text = client.other('OPTIONS', 'sip:example.com');
    expect(await code(text.replace('SIP/2.0\r\n', 'SIP/7.0\r\n'))).toBe(505);
    expect(await code(client.other('OPTIONS', 'sip:example.com').replace('SIP/2.0\r\n', 'sip/2.0\r\n'))).toBe(200);
  });

  it('R3261-21.5.2-01 R3261-8.2.1-01 501 to an unknown method, 405 with Allow to a known one', async () => {
    expect(await code(client.other('NEWMETHOD', 'sip:example.com'))).toBe(501);
    expect(await code(client.other('register', 'sip:example.com'))).toBe(501);
    for (const method of ['BYE', 'UPDATE', 'MESSAGE', 'INFO']) {
      const answer = await ask(client.other(method, 'sip:example.com'));
      expect(answer.status, method).toBe(405);
      const allow = headers(answer.text, 'Allow').flatMap(splitList);
      expect(allow).toEqual(expect.arrayContaining(['REGISTER', 'OPTIONS']));
      expect(allow, 'R3261-8.2.1-02').not.toContain(method);
    }
  });

  it('R3261-10.3-24 R3261-10.3-25 423 with Min-Expires, and never from an hour on', async () => {
    const answer = await ask(client.register({ contacts: ['<sip:a@127.0.0.1:1>'], expires: 30 }));
    expect(answer.status).toBe(423);
    expect(header(answer.text, 'Min-Expires')).toBe('60');
    expect(await code(client.register({ contacts: ['<sip:a@127.0.0.1:1>'], expires: 0 }))).toBe(200);
  });

  it.each([
    ['R3261-10.3-17 * with another Contact', { contacts: ['*', '<sip:a@127.0.0.1:1>'], expires: 0 }],
    ['R3261-10.3-17 * with an interval', { contacts: ['*'], expires: 3600 }],
    ['R3261-10.3-17 * without Expires', { contacts: ['*'] }],
    ['R3261-10.2-02 a To that is no SIP URI', { to: '<isbn:2983792873>' }],
    ['R3261-20.16-01 a CSeq beyond 32 bits', { cseq: '4294967296' }],
    ['R3261-7.3.1-05 two To rows', { headers: ['To: <sip:b@example.com>'] }],
    ['R3261-7.3.1-05 two Expires rows', { headers: ['Expires: 60', 'Expires: 61'] }],
    ['R3261-7.3.1-06 a parameter twice', { contacts: ['<sip:a@127.0.0.1:1>;expires=60;expires=61'] }],
    ['R3261-20.14-01 a Content-Length that is no number', { headers: ['Content-Length: five'] }],
    ['R3261-18.3-02 a Content-Length beyond the datagram', { headers: ['Content-Length: 100'] }],
    ['R3261-10.3-05 one broken Contact among three', { contacts: ['<sip:a@h>', '<sip:b@h>', '<sip:c@h'] }],
  ])('400: %s', async (_, fields) => {
    const aor = 'wrong@example.com';
    const answer = await ask(client.register({ aor, ...fields }));
    expect(answer.status, answer.text).toBe(400);
    expect(answer.reason, 'R3261-21.4.1-01 it says what was wrong').not.toMatch(/^(Bad Request)?$/);
    expect((await client.fetch(aor)).size).toBe(0);
  });

  it.each(['To', 'From', 'Call-ID', 'CSeq'])('R3261-8.1.1-01 400 where %s is missing', async (name) => {
    const text = client.register().replace(new RegExp(`\r\n${name}:[^\r]*`), '');
    client.send(text);
    const answer = await client.next();
    expect(answer.status).toBe(400);
    expect(answer.reason).toContain(name);
  });

  it('R3261-8.1.1.5-01 400 where CSeq and request line disagree', async () => {
    const text = client.other('OPTIONS', 'sip:example.com').replace('1 OPTIONS', '8 INVITE');
    expect(await code(text)).toBe(400);
  });

  it('403 to more contacts than an AOR may have, and none of them is stored; one more than it has makes room', async () => {
    const aor = 'crowd@example.com';
    const some = Array.from({ length: 10 }, (_, n) => `<sip:c${n}@127.0.0.1:1>`);
    expect(await code(client.register({ aor, contacts: some }))).toBe(200);
    expect(await code(client.register({ aor, contacts: [...some, '<sip:c10@127.0.0.1:1>'] }))).toBe(403);
    expect((await client.fetch(aor)).size).toBe(10);
    // The net result counts: one leaves, one comes.
    const swap = [`${some[0]};expires=0`, '<sip:one-more@127.0.0.1:1>'];
    expect(await code(client.register({ aor, contacts: swap }))).toBe(200);
    expect(await code(client.register({ aor, contacts: ['<sip:another@127.0.0.1:1>'] }))).toBe(200);
    const left = [...(await client.fetch(aor)).keys()];
    expect(left).toHaveLength(10);
    expect(left).toEqual(expect.arrayContaining(['sip:one-more@127.0.0.1:1', 'sip:another@127.0.0.1:1']));
  });

  it('R3261-10.3-30 R3261-10.3-19 500 to a CSeq that is not higher, and nothing changes', async () => {
    const aor = 'order@example.com';
    const callId = newToken();
    expect(await code(client.register({ aor, callId, cseq: 5, contacts: ['<sip:a@127.0.0.1:1>'], expires: 300 }))).toBe(
      200,
    );
    const late = ['<sip:b@127.0.0.1:1>', '<sip:a@127.0.0.1:1>;expires=900'];
    expect(await code(client.register({ aor, callId, cseq: 5, contacts: late }))).toBe(500);
    expect(await code(client.register({ aor, callId, cseq: 4, contacts: late }))).toBe(500);
    expect(await code(client.register({ aor, callId, cseq: 3, contacts: ['*'], expires: 0 }))).toBe(500);
    const found = await client.fetch(aor);
    expect([...found.keys()]).toEqual(['sip:a@127.0.0.1:1']);
    expect(found.get('sip:a@127.0.0.1:1')).toBeLessThanOrEqual(300);
  });

  it('R3261-8.2.3-01 415 to a body it cannot read, unless the body is optional', async () => {
    const typed = client.register({ headers: ['Content-Type: application/x-foo'], body: 'x' });
    const answer = await ask(typed);
    expect(answer.status).toBe(415);
    expect(header(answer.text, 'Accept')).toBeDefined();
    const optional = ['Content-Type: application/x-foo', 'Content-Disposition: session;handling=optional'];
    expect(await code(client.register({ headers: optional, body: 'x' }))).toBe(200);
  });

  it('R3261-11.2-01 R3261-11.2-02 OPTIONS to a served domain: 200 with what it can do', async () => {
    const answer = await ask(client.other('OPTIONS', 'sip:example.com'));
    expect(answer.status).toBe(200);
    for (const name of ['Allow', 'Accept', 'Accept-Encoding', 'Accept-Language', 'Supported']) {
      expect(header(answer.text, name), name).toBeDefined();
    }
  });

  it('R6026-8.10-01 R6026-8.9-01 R3261-9.2-03 silence to ACK, to responses and to keep-alives', async () => {
    client.inbox.length = 0;
    client.send(client.other('ACK', 'sip:example.com'));
    client.send(client.other('ACK', 'sip:example.com', ['Require: foo']));
    client.send(
      sip([
        'SIP/2.0 200 OK',
        `Via: ${client.via()}`,
        'From: <sip:a@b>;tag=1',
        'To: <sip:a@b>;tag=2',
        'Call-ID: x',
        'CSeq: 1 REGISTER',
      ]),
    );
    client.send('\r\n\r\n');
    client.send('\0');
    expect(await code(client.register())).toBe(200); // behind them in the same queue
    expect(client.inbox).toEqual([]);
  });

  it('R3261-8.2.6.2-01 R3261-8.2.6.2-02 copies From, Call-ID, CSeq and every Via; adds a To tag of its own', async () => {
    const text = client.register({
      from: '"A. \\"B\\" C" <sip:alice@example.com>;tag=x1;y=z',
      callId: 'aB%41@[::1]',
      cseq: '0007',
      headers: ['Via: SIP/2.0/TCP a.example;branch=z9hG4bKa, SIP/2.0/UDP b.example:4000', 'v: SIP/2.0/UDP c.example;x'],
    });
    const { text: answer } = await ask(text);
    for (const name of ['From', 'Call-ID', 'CSeq']) expect(header(answer, name)).toBe(header(text, name));
    const vias = headers(answer, 'Via', 'v').flatMap(splitList);
    expect(vias.slice(1)).toEqual([
      'SIP/2.0/TCP a.example;branch=z9hG4bKa',
      'SIP/2.0/UDP b.example:4000',
      'SIP/2.0/UDP c.example;x',
    ]);
    expect(tagOf(header(answer, 'To'))?.length).toBeGreaterThan(7);
    const tagged = await ask(client.register({ to: '<sip:alice@example.com>;tag=mine' }));
    expect(header(tagged.text, 'To')).toBe('<sip:alice@example.com>;tag=mine');
  });
});
