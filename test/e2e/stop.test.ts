// How a server goes down and the next one comes: announced to load balancers, within a limit, and without losing what is sent
// meanwhile where its sockets outlive it.

import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readUrl } from '../../src/server/admin/admin-files.ts';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { holdTcp, holdUdp, release } from '../support/held-sockets.ts';
import { peerMissing } from '../support/peers.ts';
import { type Answer, SipClient } from '../support/sip-client.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

function configured(text: string): string[] {
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, `${text}\n`);
  return ['--config', file, '--admin', 'http:127.0.0.1:0'];
}

const clientOf = (server: Aorta) => SipClient.open({ address: '127.0.0.1', port: server.port });

describe('SIGTERM', () => {
  it('is announced by /readyz while phones are served on, and ends the server with 0', async () => {
    const server = await Aorta.start({ flags: configured('drain: {announce-s: 6}') });
    const phone = await clientOf(server);
    const ready = () => fetch(`${readUrl(server.data)}/readyz`);
    expect((await ready()).status).toBe(200);
    server.child.signal('SIGTERM');
    const drained = await poll('/readyz to say 503', 5000, async () => {
      const answer = await ready();
      return answer.status === 503 ? answer.json() : undefined;
    });
    expect(drained).toEqual({ status: 'not ready', problems: ['draining'] });
    const answer = await phone.request(phone.register({ contacts: ['<sip:late@127.0.0.1:1>'] }));
    expect(answer.status).toBe(200);
    expect((await server.child.end(20_000)).code).toBe(0);
    const next = await server.restart();
    expect([...(await phone.fetch()).keys()]).toEqual(['sip:late@127.0.0.1:1']);
    phone.close();
    await next.stop();
  });

  it.skipIf(peerMissing('strace'))('ends a server within its limit whose disk does not answer', async () => {
    const hang = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync'];
    const under = [...hang, '-e', 'inject=fdatasync:delay_enter=8000000'];
    const server = await Aorta.start({ flags: configured('drain: {limit-s: 1}'), under });
    const phone = await clientOf(server);
    phone.send(phone.register({ contacts: ['<sip:alice@127.0.0.1:1>'] })); // its commit hangs
    await poll('the request to be taken in', 10_000, async () => {
      const counters = (await (await fetch(`${readUrl(server.data)}/v1/counters`)).json()) as { committing: number };
      return counters.committing > 0;
    });
    server.child.signal('SIGTERM');
    expect((await server.child.end(20_000)).signal).toBe('SIGKILL');
    expect(server.stderr).toContain('not stopped in time');
    phone.close();
  });
});

/** From the start of the process: ms, or its line `ready`. */
const MOMENTS = [0, 20, 50, 100, 200, 'ready'] as const;

/** Stops it at that moment; fails unless it ends with 0, or by the signal before it minds any. */
async function stopEarly(server: Aorta, moment: (typeof MOMENTS)[number]): Promise<void> {
  if (moment === 'ready') await server.child.until(/^ready/m, 20_000, 1);
  else await pause(moment);
  server.child.signal('SIGTERM');
  const { code, signal } = await server.child.end(20_000);
  const ends = moment === 'ready' ? [0] : [0, 'SIGTERM'];
  expect(ends, server.child.output()).toContain(code ?? signal);
}

describe('SIGTERM right after the start', () => {
  it.each(MOMENTS)('at %s (ms) ends a first start without a fault, and the next one serves', async (moment) => {
    const server = await Aorta.launch({ shards: 2 });
    await stopEarly(server, moment);
    const next = await server.restart();
    const phone = await clientOf(next);
    expect((await phone.request(phone.register())).status).toBe(200);
    phone.close();
    await next.stop();
  });

  it('at any of these moments loses no binding of before', async () => {
    const server = await Aorta.start({ shards: 2 });
    const phone = await clientOf(server);
    expect((await phone.request(phone.register({ contacts: ['<sip:alice@127.0.0.1:1>'] }))).status).toBe(200);
    await server.stop();
    for (const moment of MOMENTS) await stopEarly(await server.relaunch(), moment);
    const next = await server.restart();
    expect([...(await phone.fetch()).keys()]).toEqual(['sip:alice@127.0.0.1:1']);
    phone.close();
    await next.stop();
  });
});

describe('sockets that outlive the server', () => {
  it('keep what comes between two servers: over UDP nothing has to be sent again, over TCP nobody is refused; WebSockets bind anew', async () => {
    const port = await freePort();
    const sockets = [holdUdp(port), holdTcp(port)];
    // What has waited may look like a storm on a machine that is busy: whom that puts off is another test's.
    const ws = { port: await freePort() };
    const flags = [...configured('policy: {overload-target-ms: 0}'), '--listen', `ws:127.0.0.1:${ws.port}`];
    const options = { port, sockets, flags, transports: ['udp', 'tcp'], shards: 2, data: temporaryDirectory() };
    const first = await Aorta.start(options);
    const browser = await WsSipClient.open(ws);
    const fromBrowser = { aor: 'browser@example.com', contacts: [`<${browser.contact}>`] };
    expect((await browser.request(browser.register(fromBrowser))).status).toBe(200);
    const phone = await clientOf(first);
    const answers: Promise<Answer>[] = [];
    const refused: string[] = [];
    /** Sends a request once, and opens a connection. */
    const send = () => {
      const aor = `user${answers.length}@example.com`;
      const message = phone.register({ aor, contacts: ['<sip:x@127.0.0.1:1>'] });
      answers.push(phone.answerTo(message, 30_000));
      phone.send(message);
      const socket = connect(port, '127.0.0.1').on('error', (error) => refused.push(error.message));
      socket.on('connect', () => socket.destroy());
    };
    phone.socket.setRecvBufferSize(4 << 20); // what has waited is answered all at once
    const traffic = setInterval(send, 10);
    await poll('some traffic', 10_000, () => answers.length > 20);
    first.child.signal('SIGTERM');
    expect((await first.child.end(20_000)).code).toBe(0);
    const between = answers.length;
    await poll('requests that nobody reads', 10_000, () => answers.length > between + 20);
    const second = await Aorta.start(options);
    clearInterval(traffic);
    const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
    expect(statuses).toEqual(statuses.map(() => 200));
    expect(refused).toEqual([]);
    for (const i of [0, between, between + 10]) expect((await phone.fetch(`user${i}@example.com`)).size).toBe(1);
    phone.close();
    await browser.ws.ended;
    const again = await WsSipClient.open(ws);
    expect((await again.request(again.register(fromBrowser))).status).toBe(200);
    again.close();
    await second.stop();
    for (const fd of sockets) release(fd);
  });

  it('are refused where no listener is for them', async () => {
    const sockets = [holdUdp(await freePort())];
    const server = await Aorta.launch({ sockets });
    expect((await server.child.end(20_000)).code).toBe(2);
    expect(server.stderr).toMatch(/LISTEN_FDS: no listener for udp 127\.0\.0\.1:[0-9]+: add it to --listen/);
    for (const fd of sockets) release(fd);
  });
});
