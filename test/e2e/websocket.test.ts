// REGISTER over WS and WSS, on real sockets (RFC 7118): what an answer looks like, who may connect, and frames that no browser
// would send.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { bound, challenge, importUsers, logIn, signed } from '../support/login-client.ts';
import { bindings, contacts, header, SipClient } from '../support/sip-client.ts';
import { BINARY, frame, PING, PONG, TEXT, type WsAddress, WsClient } from '../support/ws-client.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

interface Running {
  readonly aorta: Aorta;
  readonly ws: WsAddress;
  readonly wss: WsAddress;
  readonly udp: SipClient;
}

async function start(...flags: string[]): Promise<Running> {
  const [ws, wss] = [await freePort(), await freePort()];
  const { certFile, keyFile } = selfSigned();
  const listen = ['--listen', `ws:127.0.0.1:${ws}`, '--listen', `wss:127.0.0.1:${wss}`];
  const data = temporaryDirectory();
  if (flags.includes('digest')) await importUsers(data, ['jane@example.com', 'joe@example.com']);
  const aorta = await Aorta.start({
    data,
    shards: 2,
    flags: [...listen, '--tls-cert', certFile, '--tls-key', keyFile, ...flags],
  });
  return { aorta, ws: { port: ws }, wss: { port: wss, tls: true }, udp: await SipClient.open(aorta) };
}

let open: Running;
let locked: Running;

beforeAll(async () => {
  [open, locked] = await Promise.all([start(), start('--auth', 'digest')]);
});

afterAll(async () => {
  for (const { udp, aorta } of [open, locked]) {
    udp.close();
    await aorta.stop();
  }
  await killAll();
  removeDirectories();
});

describe('REGISTER', () => {
  it.each(['ws', 'wss'] as const)('R7118-5.1-01 R7118-5.2-01 R7118-5-03 is served over %s', async (transport) => {
    const client = await WsSipClient.open(open[transport]);
    const aor = `${transport}@example.com`;
    const answer = await client.request(
      client.register({ aor, contacts: [`<${client.contact}>;+sip.ice`], expires: 300 }),
    );
    expect(answer.status, answer.text).toBe(200);
    expect([...bindings(answer).keys()]).toEqual([client.contact]);
    expect(header(answer.text, 'Via')).toContain(`SIP/2.0/${transport.toUpperCase()} ${client.host};`);
    expect([...(await open.udp.fetch(aor)).keys()]).toEqual([client.contact]);
    client.close();
  });

  it('R3581-4-01 an empty rport does not become a port that nobody has', async () => {
    const client = await WsSipClient.open(open.ws);
    const answer = await client.request(client.register({ via: `${client.via()};rport` }));
    const [, rport] = /;rport(=\d+)?;received=127\.0\.0\.1$/.exec(header(answer.text, 'Via') ?? '') ?? ['', 'none'];
    // The older build of uWebSockets.js cannot tell.
    expect([undefined, `=${client.ws.socket.localPort}`]).toContain(rport);
  });

  it('R7118-5-01 needs no Content-Length, and takes what is behind a message in its frame for nothing', async () => {
    const client = await WsSipClient.open(open.ws);
    const aor = 'frames@example.com';
    const register = client.register({ aor, contacts: [`<${client.contact}>`] });
    const bare = register.replace(/Content-Length: 0\r\n/, '');
    expect((await client.request(bare)).status).toBe(200);
    const second = client.register({ aor, contacts: ['<sip:second@x.invalid;transport=ws>'] });
    client.ws.text(client.register({ aor, contacts: [`<${client.contact}>`] }) + second);
    expect(contacts(await client.answer())).toHaveLength(1);
    const short = client.register({ aor }).replace('Content-Length: 0', 'Content-Length: 10');
    expect((await client.request(short)).status).toBe(400);
    expect([...(await open.udp.fetch(aor)).keys()]).toEqual([client.contact]);
  });

  it('R7118-5-02 keeps no answer for retransmissions, which a reliable transport has none of', async () => {
    const client = await WsSipClient.open(open.ws);
    const aor = 'twice@example.com';
    const register = client.register({ aor, contacts: [`<${client.contact}>`], expires: 300 });
    expect((await client.request(register)).status).toBe(200);
    expect((await client.request(register)).status, 'the same CSeq once more').not.toBe(200);
  });

  it('R7118-4.2-01 in binary frames, and with bytes that are no UTF-8, is answered in kind', async () => {
    const client = await WsSipClient.open(open.ws);
    client.ws.binary(client.register({ aor: 'binary@example.com' }));
    expect((await client.ws.next()).opcode).toBe(TEXT);
    client.ws.binary(client.register({ from: '"J\xf6rg" <sip:binary@example.com>;tag=1' }));
    const { opcode, payload } = await client.ws.next();
    expect([opcode, payload.toString('latin1').includes('"J\xf6rg"')]).toEqual([BINARY, true]);
  });

  it('answers go to the connection their request came by, pipelined or not', async () => {
    const clients = await Promise.all(
      Array.from({ length: 10 }, (_, i) => WsSipClient.open(i % 2 ? open.ws : open.wss)),
    );
    const all = clients.flatMap((client, i) =>
      Array.from({ length: 10 }, (_, n) => {
        const callId = `c${i}n${n}`;
        client.ws.text(client.register({ aor: `u${n}@example.com`, callId }));
        return { client, callId };
      }),
    );
    const got = new Map(clients.map((client) => [client, [] as (string | undefined)[]]));
    for (const { client } of all) got.get(client)?.push(header((await client.answer()).text, 'Call-ID'));
    for (const client of clients) {
      const sent = all.filter((one) => one.client === client).map(({ callId }) => callId);
      expect(got.get(client)?.sort()).toEqual(sent.sort());
      client.close();
    }
  });
});

describe('who may', () => {
  it('R7118-7-01 without authentication only pages of this machine connect', async () => {
    const status = async (at: WsAddress, origin: string) =>
      (await WsClient.try(at, { headers: [`Origin: ${origin}`] })).status;
    expect(await status(open.ws, 'https://anything.example')).toBe(403);
    expect(await status(open.ws, 'http://localhost:3000')).toBe(101);
    expect(await status(locked.ws, 'https://anything.example')).toBe(101);
  });

  it('R7118-7-01 R3261-26.1.1-01 a password is asked for over WS and WSS as over UDP', async () => {
    for (const [transport, aor] of [
      ['ws', 'jane@example.com'],
      ['wss', 'joe@example.com'],
    ] as const) {
      const client = await WsSipClient.open(locked[transport]);
      const fields = { aor, contacts: [`<${client.contact}>`], expires: 300 };
      const { nonce, opaque } = await challenge(client, fields);
      const wrong = signed(client, { ...fields, cseq: 2 }, { nonce, opaque, password: 'guessed' });
      expect((await client.request(wrong)).status).toBe(401);
      expect([...(await bound(locked.udp, aor)).keys()]).toEqual([]);
      expect((await logIn(client, fields)).status).toBe(200);
      expect([...(await bound(locked.udp, aor)).keys()]).toEqual([client.contact]);
      client.close();
    }
  });
});

describe('what no browser sends', () => {
  it('garbage, floods and half-open connections leave the others alone', async () => {
    const good = await WsSipClient.open(open.wss);
    const hostile: WsClient[] = [];
    const dial = async (at: WsAddress) => {
      const client = await WsClient.dial(at);
      hostile.push(client);
      return client;
    };
    (await dial(open.ws)).raw('GET / HTTP/1.1\r\nHost: ');
    (await dial(open.ws)).raw('\x16\x03\x01\x02\x00\x01\x00');
    (await dial(open.wss)).raw(Buffer.alloc(5000, 0x55));
    for (const bytes of [
      frame(TEXT, 'x'.repeat(66_000)),
      frame(TEXT, 'not SIP'),
      frame(TEXT, 'REGISTER sip:example.com SIP/2.0\r\n\r\n'),
      frame(TEXT, '\0'.repeat(100)),
      frame(BINARY, Buffer.alloc(60_000, 0xff)),
      frame(7, 'unknown'),
      Buffer.concat(Array.from({ length: 2000 }, () => frame(PING, 'x'.repeat(100)))),
      Buffer.concat(Array.from({ length: 300 }, () => frame(TEXT, 'SIP/2.0 200 OK\r\n\r\n'))),
      frame(TEXT, 'half', { lie: 60_000 }),
      Buffer.from('REGISTER sip:example.com SIP/2.0\r\n'),
    ]) {
      const client = await WsClient.open(open.ws);
      hostile.push(client);
      client.raw(bytes);
      expect((await good.request(good.register({ aor: 'good@example.com' }))).status).toBe(200);
    }
    for (const client of hostile) client.destroy();
    good.ws.raw(frame(PING));
    expect((await good.ws.next()).opcode).toBe(PONG);
    expect(open.aorta.alive).toBe(true);
  });

  it('a stop says goodbye to clients once they have their answers', async () => {
    const { aorta, ws, udp } = await start();
    const client = await WsSipClient.open(ws);
    expect((await client.request(client.register())).status).toBe(200);
    await aorta.stop();
    expect((await client.ws.next()).payload.readUInt16BE(0)).toBe(1001);
    udp.close();
  });
});
