// Pushes to devices of Apple over a connection whose other end says nothing any more.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { withinTime } from '../../../src/server/process/time-limit.ts';
import { ApnsPush } from '../../../src/server/push/apns-push.ts';

let server: Http2Server;
const sessions = new Set<ServerHttp2Session>();

afterEach(() => {
  for (const session of sessions) session.destroy();
  server.close();
});

it('a connection on which no answer came in time is left, and the next push has another', async () => {
  server = createServer();
  server.on('session', (session) => void sessions.add(session.on('error', () => {})));
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    if (stream.session !== [...sessions][0]) stream.respond({ ':status': 200 }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const apns = new ApnsPush({ url, keyFile: '', keyId: 'ABC123DEFG', teamId: 'DEF123GHIJ' }, privateKey);
  const closing = new AbortController();
  const push = (ms: number) => {
    const device = { provider: 'apns', param: 'DEF123GHIJ.com.example.app', prid: '00fc13adff' };
    return withinTime(ms, closing.signal, (signal) => apns.send({ device, reason: 'call', until: 0 }, signal));
  };
  await expect(push(300)).rejects.toThrow();
  expect(await push(10_000)).toBe('sent');
  expect(await push(10_000)).toBe('sent');
  expect(sessions.size).toBe(2);
  apns.close();
});
