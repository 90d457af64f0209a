// REGISTER over TCP, on real sockets: framing, keep-alives, answers on the connection the request came by.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { bindings, header, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

let aorta: Aorta;
let client: StreamClient;

beforeAll(async () => {
  aorta = await Aorta.start({ transports: ['udp', 'tcp'], shards: 2 });
  client = await StreamClient.tcp(aorta);
});

afterAll(async () => {
  client.close();
  await aorta.stop();
  await killAll();
  removeDirectories();
});

describe('TCP on the port that UDP has', () => {
  it('R3261-18-01 R3261-18.2.1-01 R3581-4-01: serves REGISTER, rport and received filled in', async () => {
    const contact = 'sip:alice@127.0.0.1:5070;transport=tcp';
    const answer = await client.request(client.register({ contacts: [`<${contact}>`], expires: 300 }));
    expect(answer.status).toBe(200);
    expect([...bindings(answer).keys()]).toEqual([contact]);
    expect(header(answer.text, 'Via')).toContain(`;rport=${client.socket.localPort};received=127.0.0.1`);
  });

  it('R3261-18.2.2-01 R3261-18.3-04 R3261-20.14-02: answers pipelined requests on their connection, however they are cut', async () => {
    const messages = Array.from({ length: 20 }, (_, i) =>
      client.register({ aor: `user${i}@example.com`, contacts: [`<sip:user${i}@127.0.0.1:${6000 + i}>`] }),
    );
    const answers = Promise.all(messages.map((message) => client.answerTo(message)));
    const bytes = messages.join('');
    for (let at = 0; at < bytes.length; at += 700) client.send(bytes.slice(at, at + 700));
    for (const [i, answer] of (await answers).entries()) {
      expect([...bindings(answer).keys()]).toEqual([`sip:user${i}@127.0.0.1:${6000 + i}`]);
      expect(header(answer.text, 'Content-Length')).toBe('0');
    }
  });

  it('R5626-5.4-01 R5626-6-13 R3261-7.5-01: answers a double CRLF by one, and goes on', async () => {
    client.blanks = '';
    client.send('\r\n\r\n');
    expect((await client.request(client.register())).status).toBe(200);
    expect(client.blanks).toBe('\r\n');
  });

  it('R3261-18.3-04 R3261-20.14-02: answers 400 to a request without Content-Length and closes; other connections go on', async () => {
    const other = await StreamClient.tcp(aorta);
    const request = other.register().replace(/Content-Length: 0\r\n/, '');
    const answer = await other.request(request);
    expect(answer).toMatchObject({ status: 400, reason: 'Missing Content-Length Header Field' });
    expect(header(answer.text, 'Content-Length')).toBe('0');
    await poll('the connection to close', 5000, () => other.closed);
    expect((await client.request(client.register())).status).toBe(200);
  });

  it('answers 513 to what is too large, head or body, and closes', async () => {
    for (const fields of [{ headers: ['X: y', 'Content-Length: 70000'] }, { headers: [`X: ${'x'.repeat(66_000)}`] }]) {
      const other = await StreamClient.tcp(aorta);
      expect((await other.request(other.register(fields))).status).toBe(513);
      await poll('the connection to close', 5000, () => other.closed);
    }
  });

  it('closes on what is no SIP without a word', async () => {
    for (const junk of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000', '\u0001\u0002']) {
      const other = await StreamClient.tcp(aorta);
      other.send(junk);
      await poll('the connection to close', 5000, () => other.closed);
      expect(other.inbox).toEqual([]);
    }
  });

  it('answers what was asked before the other end closed its half', async () => {
    const other = await StreamClient.tcp(aorta);
    const request = other.register();
    const answer = other.answerTo(request);
    other.socket.end(request);
    expect((await answer).status).toBe(200);
    await poll('the connection to close', 5000, () => other.closed);
  });
});

describe('a binding and its connection', () => {
  it('R5626-7-01: end together', async () => {
    const phone = await StreamClient.tcp(aorta);
    const aor = 'flow@example.com';
    await phone.request(phone.register({ aor, contacts: [`<sip:flow@127.0.0.1:${phone.localPort};transport=tcp>`] }));
    expect(bindings(await client.request(client.register({ aor }))).size).toBe(1);
    phone.socket.resetAndDestroy();
    await poll('the binding to go', 2000, async () => {
      return bindings(await client.request(client.register({ aor }))).size === 0;
    });
  });

  it('R3261-10.3-39: are no matter to each other where the phone listens at its contact', async () => {
    const phone = await StreamClient.tcp(aorta);
    const aor = 'listens@example.com';
    await phone.request(phone.register({ aor, contacts: ['<sip:listens@192.0.2.20:5071;transport=tcp>'] }));
    const fetched = async () => (await client.request(client.register({ aor }))).text;
    phone.socket.resetAndDestroy();
    await poll('the connection to be gone', 2000, async () => {
      const other = client.register({ aor: 'probe@example.com' });
      return (await client.request(other)).status === 200 && phone.closed;
    });
    await aorta.kill9();
    aorta = await aorta.restart();
    client = await StreamClient.tcp(aorta);
    expect(await fetched()).toContain('sip:listens@192.0.2.20:5071;transport=tcp');
  });

  it('of before a crash is gone after it, while one made over UDP stays', async () => {
    const phone = await StreamClient.tcp(aorta);
    const udp = await SipClient.open(aorta);
    const contacts = (transport: string) => [`<sip:crash@127.0.0.1:${phone.localPort};transport=${transport}>`];
    await phone.request(phone.register({ aor: 'crash@example.com', contacts: contacts('tcp') }));
    await udp.request(udp.register({ aor: 'crash@example.com', contacts: contacts('udp') }));
    expect((await udp.fetch('crash@example.com')).size).toBe(2);
    await aorta.kill9();
    aorta = await aorta.restart();
    client = await StreamClient.tcp(aorta);
    expect([...(await udp.fetch('crash@example.com')).keys()]).toEqual([
      `sip:crash@127.0.0.1:${phone.localPort};transport=udp`,
    ]);
    udp.close();
  });
});

describe('STUN on the SIP port', () => {
  it.each(['auto', 'dgram'] as const)('R5626-8-01 R5626-6-13: tells a client its address, --udp %s', async (udp) => {
    const server = await Aorta.start({ udp });
    const socket = await SipClient.open(server);
    const id = randomBytes(12).toString('hex');
    const answer = once(socket.socket, 'message') as Promise<[Buffer]>;
    socket.send(Buffer.from(`000100002112a442${id}`, 'hex'));
    const [bytes] = await answer;
    expect(bytes.toString('hex')).toMatch(new RegExp(`^0101000c2112a442${id}002000080001`));
    expect(bytes.readUInt16BE(26) ^ 0x2112).toBe(socket.port);
    expect((bytes.readUInt32BE(28) ^ 0x2112a442) >>> 0).toBe(0x7f000001);
    socket.close();
    await server.stop();
  });
});
