import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { COUNTER } from '../../src/shard/observe/counters.ts';
import { type Pool, startPool } from '../../src/threads/pool.ts';
import type { PoolOptions } from '../../src/threads/pool-options.ts';

const directory = mkdtempSync(join(tmpdir(), 'aorta-pool-'));
const socket: Socket = createSocket('udp4');
let pool: Pool | undefined;
let cseq = 1;

afterEach(async () => {
  await pool?.stop();
  rmSync(directory, { recursive: true, force: true });
  socket.close();
});

function start(log: PoolOptions['log'] = () => {}): Promise<Pool> {
  return startPool({
    shards: 2,
    listeners: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    udp: 'auto',
    dataDir: directory,
    durability: 'durable',
    policy: { ...DEFAULT_POLICY, domains: ['*'] },
    secret: new Uint8Array(32).fill(5),
    log,
  });
}

/** Sends a REGISTER, and again until it is answered; the answer's text. */
async function register(port: number, user: string, contact: boolean): Promise<string> {
  const number = cseq++;
  const request = [
    'REGISTER sip:example.com SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bKpool${number}`,
    'Max-Forwards: 70',
    `From: <sip:${user}@example.com>;tag=${number}`,
    `To: <sip:${user}@example.com>`,
    `Call-ID: pool-${user}`,
    `CSeq: ${number} REGISTER`,
    ...(contact ? [`Contact: <sip:${user}@127.0.0.1:9>;expires=600`] : []),
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
  const send = () => socket.send(request, port, '127.0.0.1');
  const timer = setInterval(send, 200);
  send();
  for (;;) {
    const [answer] = (await once(socket, 'message')) as [Buffer];
    const text = String(answer);
    if (!text.includes(`CSeq: ${number} REGISTER`)) continue; // of a copy sent earlier
    clearInterval(timer);
    return text;
  }
}

it('keeps every binding when its shards die, and when the pool is started anew', async () => {
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const opens: unknown[] = [];
  pool = await start((_level, event, fields) => event === 'shard open' && opens.push(fields.aors));
  expect(opens).toEqual([0, 0]);
  const users = Array.from({ length: 40 }, (_, i) => `user${i}`);
  const check = async (from: Pool) => {
    for (const user of users) {
      const answer = await register(from.listeners[0].port, user, false);
      expect(answer).toMatch(/^SIP\/2\.0 200 /);
      expect(answer).toContain(`<sip:${user}@127.0.0.1:9>`);
    }
  };
  const bindings = (of: Pool) => of.counters().map((counters) => counters[COUNTER.bindings]);
  for (const user of users) {
    expect(await register(pool.listeners[0].port, user, true)).toMatch(/^SIP\/2\.0 200 /);
  }
  const before = bindings(pool);
  expect(before[0] + before[1]).toBe(40);
  expect(Math.min(...before)).toBeGreaterThan(0);
  pool.crash(0);
  pool.crash(1);
  await check(pool);
  expect(pool.restarts).toBe(2);
  expect(opens.slice(2).sort()).toEqual([...before].sort());
  expect(bindings(pool)).toEqual(before);
  await pool.stop();
  pool = await start();
  await check(pool);
  expect(bindings(pool)).toEqual(before);
});
