// Few file descriptors: connections by the hundred, to every listener, end nothing and nobody's service.

import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { patience } from '../support/patience.ts';
import { SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

let aorta: Aorta;

afterEach(() => aorta.stop());
afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** Connections that say nothing. */
function crowd(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      return new Promise<Socket>((resolve) => {
        socket.once('connect', () => resolve(socket));
        socket.once('close', () => resolve(socket));
      });
    }),
  );
}

async function registers(client: StreamClient): Promise<void> {
  expect((await client.request(client.register())).status).toBe(200);
}

/** Once those who left are gone. */
function servesOthers(): Promise<unknown> {
  return poll('room for others', 10_000, async () => {
    const late = await StreamClient.tcp(aorta);
    const answer = await late.request(late.register(), 500 * patience()).catch(() => undefined);
    late.close();
    return answer?.status === 200;
  });
}

/** The limit under which a process may open `free` more, once what it opens and closes at its start is over: the limit is of numbers. */
async function limitThatLeaves(free: number, pid: number): Promise<number> {
  let last = '';
  let since = 0;
  await poll('descriptors to stay', 5000, () => {
    const now = readdirSync(`/proc/${pid}/fd`).join();
    if (now !== last) since = performance.now();
    last = now;
    return performance.now() > since + 500;
  });
  const used = new Set(last.split(',').map(Number));
  let limit = 0;
  for (let left = free; left > 0; limit++) if (!used.has(limit)) left--;
  return limit;
}

describe.each(['auto', 'dgram'] as const)('R3261-26.1.5-01: idle connections with --udp %s', (udp) => {
  it('fill what there is for them, on every listener, and no more: phones, health and the rest go on', async () => {
    const { certFile, keyFile } = selfSigned();
    const config = join(temporaryDirectory(), 'aorta.yaml');
    const ports = { tls: await freePort(), ws: await freePort(), admin: await freePort(), lookup: await freePort() };
    writeFileSync(
      config,
      `tls: {cert: ${certFile}, key: ${keyFile}}\nabuse: {enabled: false}\nconnections: {max: 90000}\n`,
    );
    const flags = ['--config', config, '--listen', `tls:127.0.0.1:${ports.tls}`];
    flags.push('--listen', `ws:127.0.0.1:${ports.ws}`);
    flags.push('--admin', `http:127.0.0.1:${ports.admin}`, '--lookup', `http:127.0.0.1:${ports.lookup}`);
    aorta = await Aorta.start({ udp, transports: ['udp', 'tcp'], flags, under: ['prlimit', '--nofile=400:400'] });
    expect(aorta.stderr).toContain('fewer file descriptors than connections');
    const old = await StreamClient.tcp(aorta);
    await registers(old);
    const sockets: Socket[] = [];
    for (const port of [aorta.port, ports.tls, ports.ws, ports.lookup, ports.admin])
      sockets.push(...(await crowd(port, 350)));
    await poll('most to be closed', 10_000, () => sockets.filter(({ closed }) => !closed).length < 400);
    await registers(old);
    const phone = await SipClient.open(aorta);
    expect((await phone.request(phone.register())).status).toBe(200);
    phone.close();
    expect((await fetch(`http://127.0.0.1:${ports.admin}/healthz`)).status).toBe(200);
    const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text();
    expect(Number(/^aorta_flows_refused_total\{reason="descriptors"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(
      100,
    );
    expect(metrics).toMatch(/^process_resident_memory_bytes \d/m);
    for (const socket of sockets) socket.destroy();
    await servesOthers();
    old.close();
  });

  it('where none is left at all, whoever comes is closed and not left waiting, and that is said', async () => {
    const admin = await freePort();
    const flags = ['--admin', `http:127.0.0.1:${admin}`];
    aorta = await Aorta.start({ udp, transports: ['udp', 'tcp'], flags, under: ['prlimit', '--nofile=200:200'] });
    const old = await StreamClient.tcp(aorta);
    await registers(old);
    const { pid } = aorta.child.process;
    spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${await limitThatLeaves(3, Number(pid))}:200`]);
    const sockets = await crowd(aorta.port, 12);
    await poll('those without one to be closed', 5000, () => sockets.filter(({ closed }) => closed).length >= 6);
    if (udp === 'auto') await poll('the log to say so', 5000, () => aorta.stderr.includes('EMFILE'));
    sockets.push(...(await crowd(admin, 8)));
    // Long enough for every timer that looks at the system.
    const looked = performance.now() + 2500;
    await poll('timers to have looked', 5000, () => performance.now() > looked);
    await registers(old);
    for (const socket of sockets) socket.destroy();
    await servesOthers();
    old.close();
  });
});
