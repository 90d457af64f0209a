import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { COUNTER } from '../../src/shard/observe/counters.ts';
import { type Pool, startPool } from '../../src/threads/pool.ts';
import type { PoolOptions } from '../../src/threads/pool-options.ts';
import { nativeUdp } from '../../src/transport/linux/native-udp.ts';
import { bundle } from '../support/bundle.ts';
import { poll } from '../support/child-process.ts';
import { patience } from '../support/patience.ts';

const ECHO = await bundle('test/threads/echo-task.mjs');
const native = nativeUdp();
if (typeof native === 'string') console.log(`native pools are not tested here: ${native}`);
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
if (!hasIpv6) console.log('pools over IPv6 are not tested here: no ::1');
const ways = typeof native === 'string' ? (['dgram'] as const) : (['auto', 'dgram'] as const);

type Entry = [level: string, event: string, fields: Record<string, unknown>];

const pools: Pool[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

async function start(over: Partial<PoolOptions> = {}): Promise<{ pool: Pool; log: Entry[]; port: number }> {
  const log: Entry[] = [];
  const pool = await startPool({
    shards: 1,
    listeners: [{ transport: 'udp' as const, host: '127.0.0.1', port: 0 }],
    udp: 'auto',
    durability: 'process',
    policy: DEFAULT_POLICY,
    secret: new Uint8Array(32),
    log: (level, event, fields) => log.push([level, event, fields]),
    taskFile: ECHO,
    ...over,
  });
  pools.push(pool);
  return { pool, log, port: pool.listeners[0].port };
}

async function phone(): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setRecvBufferSize(4 << 20);
  return socket;
}

/** Sends until each of `texts` has been answered, as a phone would; returns how many had to be sent again. */
async function ask(socket: Socket, port: number, texts: readonly string[], againMs = 500): Promise<number> {
  const open = new Set(texts);
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const onMessage = (answer: Buffer) => {
    open.delete(String(answer));
    if (open.size === 0) done();
  };
  socket.on('message', onMessage);
  let again = 0;
  const send = () => {
    for (const text of open) socket.send(text, port, '127.0.0.1');
  };
  send();
  const timer = setInterval(() => {
    again += open.size;
    send();
  }, againMs);
  await all;
  clearInterval(timer);
  socket.off('message', onMessage);
  return again;
}

const total = (pool: Pool, name: keyof typeof COUNTER) =>
  pool.counters().reduce((sum, counters) => sum + counters[COUNTER[name]], 0);

describe.each(ways)('a pool with udp %s', (udp) => {
  it('answers, counts, and stops', async () => {
    const { pool, log, port } = await start({ udp });
    expect(pool.udp).toBe(udp === 'auto' ? 'native' : 'dgram');
    expect(log.map(([, event]) => event)).toContain('shard open');
    const texts = Array.from({ length: 100 }, (_, i) => `x${i}`);
    const again = await ask(await phone(), port, texts);
    await poll('all to be received', 10_000, () => total(pool, 'received') === 100 + again);
    expect(total(pool, 'batches')).toBeLessThanOrEqual(total(pool, 'received'));
    expect(total(pool, 'loops')).toBeGreaterThanOrEqual(total(pool, 'batches'));
    await pool.stop();
    await expect(
      start({ udp, listeners: [{ transport: 'udp' as const, host: '127.0.0.1', port }] }),
    ).resolves.toBeDefined();
  });

  it('hands messages to the shard that owns them, and answers from there', async () => {
    const { pool, port } = await start({ udp, shards: 3 });
    const texts = Array.from({ length: 300 }, (_, i) => `${i % 3} message ${i}`);
    const phones = await Promise.all(Array.from({ length: 8 }, phone));
    await Promise.all(phones.map((socket) => ask(socket, port, texts)));
    expect(total(pool, 'forwarded')).toBeGreaterThan(0);
    expect(total(pool, 'dropped_ring_full')).toBe(0);
    expect(total(pool, 'received')).toBeGreaterThanOrEqual(2400);
    for (const counters of pool.counters()) expect(counters[COUNTER.batches]).toBeGreaterThan(0);
  });

  it('misses no wake: one message after the other, each found asleep', async () => {
    const { port } = await start({ udp, shards: 2 });
    const socket = await phone();
    // A wake that is missed shows as the second that a sleep lasts at most.
    const startedAt = performance.now();
    let again = 0;
    for (let i = 0; i < 300; i++) again += await ask(socket, port, [`${i % 2} ${i}`], 900);
    expect(again).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5000 * patience());
  });

  it('starts a shard again that died; the others go on, and no address is lost meanwhile', async () => {
    const { pool, log, port } = await start({ udp, shards: 2 });
    const socket = await phone();
    await ask(socket, port, ['0 before', '1 before']);
    const died = () => log.filter(([, event]) => event === 'shard died');
    pool.crash(0);
    await ask(socket, port, ['1 during', '0 during']);
    await poll('its death', 10_000, () => died().length === 1);
    await ask(socket, port, ['0 after'], 100);
    expect(pool.restarts).toBe(1);
    expect(died()).toEqual([['error', 'shard died', { shard: 0, error: 'died on request', restart_ms: 50 }]]);
    await poll('its start in the log', 10_000, () => log.some(([, event]) => event === 'shard started again'));
    expect(log.filter(([, event]) => event === 'shard started again')).toHaveLength(1);
    pool.crash(0);
    await poll('its next death', 10_000, () => died().length === 2);
    await ask(socket, port, ['0 once more', '1 once more'], 100);
    expect(died()[1][2]).toMatchObject({ restart_ms: 100 });
  });

  it('starts a shard again whose whole thread ended', async () => {
    const { pool, log, port } = await start({ udp });
    const socket = await phone();
    socket.send('!', port, '127.0.0.1');
    while (!log.some(([, event]) => event === 'shard died')) await new Promise((resolve) => setImmediate(resolve));
    await ask(socket, port, ['after'], 100);
    expect(pool.restarts).toBe(1);
  });

  it('stops while a shard waits to be started again', async () => {
    const { pool, log } = await start({ udp, shards: 2 });
    pool.crash(1);
    while (!log.some(([, event]) => event === 'shard died')) await new Promise((resolve) => setImmediate(resolve));
    const startedAt = performance.now();
    await pool.stop();
    expect(performance.now() - startedAt).toBeLessThan(2000 * patience());
  });

  it('names an address in use before any shard starts', async () => {
    const holder = await phone();
    const { port } = holder.address();
    await expect(
      start({ udp, listeners: [{ transport: 'udp' as const, host: '127.0.0.1', port }] }),
    ).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `address in use: udp:127.0.0.1:${port}`,
    });
    const { pool, port: taken } = await start({ udp });
    await expect(
      start({ udp, listeners: [{ transport: 'udp' as const, host: '127.0.0.1', port: taken }] }),
    ).rejects.toThrow('address in use');
    await pool.stop();
  });

  it('serves several listeners, each answering from its own address', async () => {
    const listeners = [
      { transport: 'udp' as const, host: '127.0.0.1', port: 0 },
      { transport: 'udp' as const, host: '127.0.0.2', port: 0 },
    ];
    const { pool } = await start({ udp, shards: 2, listeners });
    const socket = await phone();
    for (const { host, port } of pool.listeners) {
      const answered = once(socket, 'message');
      socket.send('1 hello', port, host);
      const [answer, from] = await answered;
      expect(String(answer)).toBe('1 hello');
      expect(from).toMatchObject({ address: host, port });
    }
  });

  it('carries datagrams of every size through the ring of another shard', async () => {
    const { port } = await start({ udp, shards: 2 });
    const socket = await phone();
    for (const size of [1, 1300, 9000, 65_507]) {
      for (const owner of ['0', '1']) {
        const body = Buffer.alloc(size, `${owner}bcdefghijk`);
        const answered = once(socket, 'message');
        socket.send(body, port, '127.0.0.1');
        const [answer] = await answered;
        expect(Buffer.compare(answer as Buffer, body)).toBe(0);
      }
    }
  });

  it.skipIf(!hasIpv6)('serves ::1', async () => {
    const { pool } = await start({ udp, shards: 2, listeners: [{ transport: 'udp' as const, host: '::1', port: 0 }] });
    const socket = createSocket('udp6');
    sockets.push(socket);
    for (const text of ['0 six', '1 six']) {
      const answered = once(socket, 'message');
      socket.send(text, pool.listeners[0].port, '::1');
      const [answer, from] = await answered;
      expect(String(answer)).toBe(text);
      expect(from).toMatchObject({ address: '::1', port: pool.listeners[0].port });
    }
  });

  it('rejects with the reason of a shard that cannot open its store', async () => {
    await expect(start({ udp, dataDir: '/dev/null/none' })).rejects.toThrow(/ENOTDIR|[Nn]ot a directory/);
  });
});
