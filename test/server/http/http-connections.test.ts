// The admin listener under connections that ask nothing: health is there whatever they do.

import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, samplesOf, startAdmin } from '../../support/admin-server.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { patience } from '../../support/patience.ts';

let admin: AdminFixture;
/** Connections of the test that runs. */
const sockets: Socket[] = [];
/** A server of its own, for connections that wait to be closed while the other tests run. */
let patient: AdminFixture;
const waiting = new Set<Socket>();
let closings: Promise<number[]>;

beforeAll(async () => {
  [admin, patient] = await Promise.all([startAdmin(), startAdmin()]);
  closings = Promise.all(
    ['', HALVES['half a head']].map(async (text) => {
      const since = performance.now();
      const socket = await open(patient, text);
      waiting.add(socket);
      await new Promise((resolve) => socket.once('close', resolve));
      waiting.delete(socket);
      return performance.now() - since;
    }),
  );
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  // Both ends of a connection are this process's: the next test begins without any of them.
  await poll('all to be closed', 10_000, () => openSockets() <= 2 * waiting.size, 10);
});
afterAll(async () => {
  await Promise.all([admin.stop(), patient.stop()]);
  removeDirectories();
});

const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

/** Opens a connection, sends the text, and gives it once it stands. */
async function dial(text = '', localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = await open(admin, text, localAddress);
  sockets.push(socket);
  return socket;
}

function open({ url }: AdminFixture, text: string, localAddress = '127.0.0.1'): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.once('connect', () => socket.write(text, () => resolve(socket))));
}

/** Connections that the server has closed to make room. */
async function dropped(): Promise<number> {
  const metrics = await fetch(`${admin.url}/metrics`, { headers: { connection: 'close' } });
  return Number(samplesOf(await metrics.text()).get('aorta_admin_connections_dropped_total'));
}

/** What the first bytes of the answer are, '' where there is none. */
async function ask(text: string, localAddress?: string): Promise<string> {
  const socket = await dial(text, localAddress);
  return new Promise((resolve) => {
    let answer = '';
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1');
      if (answer.includes('\r\n\r\n')) resolve(answer);
    });
    socket.once('close', () => resolve(answer));
  });
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const HALVES = {
  silent: '',
  'half a request line': 'GET /heal',
  'half a head': 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-',
  'a body that does not come': 'POST /v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n',
  'health with a body that does not come': 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n',
};

describe('connections that ask nothing', () => {
  it.each(Object.entries(HALVES))('leave health to whoever asks for it: %s', async (_what, text) => {
    for (const source of ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
      await Promise.all(Array.from({ length: 300 }, () => dial(text, source)));
    for (const path of ['/healthz', '/readyz'])
      for (const source of ['127.0.0.1', '127.0.0.9']) expect(await ask(get(path), source)).toMatch(/^HTTP\/1.1 200 /);
  });

  it('lose their place before one that waits between two requests, which loses it before one at work', async () => {
    const before = await dropped();
    const streams = await Promise.all(Array.from({ length: 100 }, () => dial(get('/v1/events'))));
    const [waiting] = await Promise.all([dial(get('/healthz'))]);
    await new Promise((resolve) => waiting.once('data', resolve));
    const silent = await Promise.all(Array.from({ length: 27 }, () => dial()));
    expect(await ask(get('/healthz'))).toMatch(/^HTTP\/1.1 200 /);
    await poll('the oldest to be closed', 10_000, () => silent[0].closed);
    expect([waiting.closed, silent[26].closed, streams.filter(({ closed }) => closed).length]).toEqual([
      false,
      false,
      0,
    ]);
    const closed = () => sockets.filter((socket) => socket.closed && socket.bytesRead === 0).length;
    await poll('as many closed as are told of', 10_000, async () => (await dropped()) - before === closed());
  });

  it('and where all are at work, those beyond get health and nothing else', async () => {
    const streams: Socket[] = [];
    for (const source of ['127.0.0.1', '127.0.0.2'])
      streams.push(...(await Promise.all(Array.from({ length: 128 }, () => dial(get('/v1/events'), source)))));
    await Promise.all(
      streams.map((socket) =>
        socket.bytesRead > 0 ? undefined : new Promise((resolve) => socket.once('data', resolve)),
      ),
    );
    expect(await ask(get('/readyz'), '127.0.0.3')).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close/i);
    expect(await ask(get('/v1/status'), '127.0.0.3')).toMatch(/^HTTP\/1.1 503 [\s\S]*connection: close/i);
    expect(streams.filter(({ closed }) => closed)).toEqual([]);
  });
});

describe('request targets', () => {
  it.each(['//', '//v1/aors', '///', '/\\evil', '*', 'healthz', 'ftp://x/', 'http://', '@'])(
    '%s is no path of this server, and draws 400',
    async (target) => {
      expect(await ask(get(target))).toMatch(/^HTTP\/1.1 400 /);
    },
  );

  it('an absolute one is taken by its path', async () => {
    expect(await ask(get('http://127.0.0.1/healthz'))).toMatch(/^HTTP\/1.1 200 /);
  });

  it('whoever may not ask is not told that it is none', async () => {
    const guarded = await startAdmin({
      admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: true },
    });
    const before = admin;
    admin = guarded;
    try {
      for (const target of ['//', '//healthz', '*']) expect(await ask(get(target))).toMatch(/^HTTP\/1.1 401 /);
    } finally {
      await guarded.stop();
      admin = before;
    }
  });
});

it('a connection that asks nothing, or half, is closed after ten seconds, give or take one', async () => {
  for (const ms of await closings) {
    expect(ms).toBeGreaterThan(9000);
    expect(ms).toBeLessThan(11_000 + 1500 * patience());
  }
});
