// REGISTER over TCP, on real sockets: framing, keep-alives, answers on the connection the request came by.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { bindings, header } from '../support/sip-client.ts';
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

  it('R3261-18.2.2-01 R3261-18.3-04: answers pipelined requests on their connection, however they are cut', async () => {
    const messages = Array.from({ length: 20 }, (_, i) =>
      client.register({ aor: `user${i}@example.com`, contacts: [`<sip:user${i}@127.0.0.1:${6000 + i}>`] }),
    );
    const answers = Promise.all(messages.map((message) => client.answerTo(message)));
    const bytes = messages.join('');
    for (let at = 0; at < bytes.length; at += 700) client.send(bytes.slice(at, at + 700));
    for (const [i, answer] of (await answers).entries())
      expect([...bindings(answer).keys()]).toEqual([`sip:user${i}@127.0.0.1:${6000 + i}`]);
  });

  it('answers a double CRLF by one, and goes on', async () => {
    client.blanks = '';
    client.send('\r\n\r\n');
    expect((await client.request(client.register())).status).toBe(200);
    expect(client.blanks).toBe('\r\n');
  });
});
