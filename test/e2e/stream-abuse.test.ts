// Connections that mean no good, or are broken: limits hold, nothing is mixed up, nobody else notices.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { bindings, header } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import { WsClient } from '../support/ws-client.ts';

const VECTORS = join(import.meta.dirname, '../vectors/rfc4475');
const corpus = readdirSync(VECTORS)
  .filter((name) => name.endsWith('.dat'))
  .map((name) => readFileSync(join(VECTORS, name)));

let aorta: Aorta;
let tlsPort: number;
let good: StreamClient;

beforeAll(async () => {
  const { certFile, keyFile } = selfSigned();
  const config = join(temporaryDirectory(), 'aorta.yaml');
  tlsPort = await freePort();
  const files = `tls: {cert: ${certFile}, key: ${keyFile}}\n`;
  writeFileSync(
    config,
    `${files}connections: {per-source: 40, message-seconds: 2, unsent-bytes: 65536}\nabuse: {enabled: false}\n`,
  );
  const flags = ['--config', config, '--listen', `tls:127.0.0.1:${tlsPort}`];
  aorta = await Aorta.start({ transports: ['udp', 'tcp'], shards: 2, flags });
  good = await StreamClient.tcp(aorta, '127.0.0.2');
});

afterAll(async () => {
  good.close();
  await aorta.stop();
  await killAll();
  removeDirectories();
});

/** A seeded generator: what fails can be done again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Opens a connection, sends pieces with a turn of the loop between them, and ends it one way or another. */
async function throwAt(port: number, from: string, pieces: readonly Uint8Array[], how: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from });
  socket.on('error', () => {});
  socket.resume();
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (how === 0) socket.resetAndDestroy();
  else if (how === 1) socket.destroy();
  else socket.end();
  await new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
}

async function serves(): Promise<void> {
  expect((await good.request(good.register({ aor: 'good@example.com' }))).status).toBe(200);
}

describe('limits of connections', () => {
  it('R3261-26.1.5-01: no more from one source than there may be; another source is served', async () => {
    const many = await Promise.all(Array.from({ length: 60 }, () => StreamClient.tcp(aorta, '127.0.0.3')));
    await poll('the others to be closed', 5000, () => many.filter((client) => client.closed).length === 20);
    const inside = many.find((client) => !client.closed);
    expect((await inside?.request(inside.register()))?.status).toBe(200);
    await serves();
    for (const client of many) client.close();
  });

  it('a message that takes too long to come ends its connection', async () => {
    const slow = await StreamClient.tcp(aorta);
    const drip = setInterval(() => slow.send('x'), 100);
    slow.send('REGISTER sip:example.com SIP/2.0\r\nX: ');
    await poll('the connection to close', 6000, () => slow.closed);
    clearInterval(drip);
    await serves();
  });

  it('a peer that asks and does not read is closed, and costs no more than its buffer', async () => {
    const deaf = await StreamClient.tcp(aorta);
    deaf.socket.pause();
    const flood = deaf.register({ aor: 'deaf@example.com', headers: [`X: ${'x'.repeat(500)}`] });
    const ended = new Promise((resolve) => deaf.socket.once('close', resolve));
    const feed = setInterval(() => {
      for (let i = 0; i < 200; i++) if (deaf.socket.writableLength < 1 << 20) deaf.send(flood);
    }, 5);
    await ended;
    clearInterval(feed);
    await serves();
  });
});

describe('silence', () => {
  it('ends a connection, TCP, TLS or WebSocket, but not one that keeps itself alive', async () => {
    const { certFile, keyFile } = selfSigned();
    const config = join(temporaryDirectory(), 'aorta.yaml');
    const limits = 'connections: {idle-seconds: 2}\nwebsocket: {idle-seconds: 8}\n';
    writeFileSync(config, `tls: {cert: ${certFile}, key: ${keyFile}}\n${limits}`);
    const [tls, ws] = [await freePort(), await freePort()];
    const flags = ['--config', config, '--listen', `tls:127.0.0.1:${tls}`, '--listen', `ws:127.0.0.1:${ws}`];
    const server = await Aorta.start({ transports: ['udp', 'tcp'], flags });
    const overTls = connectTls({ host: '127.0.0.1', port: tls, rejectUnauthorized: false });
    await new Promise((resolve) => overTls.once('secureConnect', resolve));
    const silent = [await StreamClient.tcp(server), new StreamClient(overTls, 'TLS')];
    const browser = await WsClient.open({ port: ws }); // answers no ping
    const alive = await StreamClient.tcp(server);
    const pings = setInterval(() => alive.send('\r\n\r\n'), 500);
    await poll('the silent ones to be closed', 10_000, () => silent.every(({ closed }) => closed));
    await browser.ended;
    expect(alive.closed).toBe(false);
    expect((await alive.request(alive.register())).status).toBe(200);
    clearInterval(pings);
    alive.close();
    await server.stop();
  });
});

describe('streams of rubbish', () => {
  it('messages of the torture tests, broken, joined, cut and interleaved, over TCP and as TLS', async () => {
    const next = random(7);
    // Twenty from each source, all at once: what is left half is closed only when its time is over.
    const thrown = Array.from({ length: 120 }, async (_, i) => {
      const messages = Array.from({ length: 1 + next(3) }, () => corpus[next(corpus.length)]);
      const bytes = Buffer.concat([...messages, Buffer.from(next(2) ? '\r\n\r\n' : '')]);
      for (let flips = next(4); flips > 0; flips--) bytes[next(bytes.length)] = next(256);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + next(400);
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      const source = `127.0.0.${10 + (i % 6)}`;
      await throwAt(i % 4 === 0 ? tlsPort : aorta.port, source, pieces.slice(0, 1 + next(pieces.length)), next(3));
    });
    await Promise.all(thrown);
    await serves();
    expect(aorta.alive).toBe(true);
  });

  it('never mixes two connections: each sees the answers to its own requests alone', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => StreamClient.tcp(aorta, '127.0.0.4')));
    const asked = clients.map((client, c) =>
      Array.from({ length: 30 }, (_, i) =>
        client.register({ aor: `u${c}-${i}@example.com`, contacts: [`<sip:u${c}-${i}@x.invalid>`] }),
      ),
    );
    const answered = asked.map((messages, c) => messages.map((message) => clients[c].answerTo(message, 10_000)));
    const streams = asked.map((messages) => messages.join(''));
    for (let at = 0; at < streams[0].length + 500; at += 333)
      for (const [c, client] of clients.entries())
        if (at < streams[c].length) client.send(streams[c].slice(at, at + 333));
    for (const [c, answers] of answered.entries()) {
      for (const [i, answer] of (await Promise.all(answers)).entries()) {
        expect([...bindings(answer).keys()]).toEqual([`sip:u${c}-${i}@x.invalid`]);
        expect(header(answer.text, 'Via')).toContain(`;rport=${clients[c].socket.localPort};`);
      }
      expect(clients[c].inbox).toEqual([]);
      clients[c].close();
    }
  });
});
