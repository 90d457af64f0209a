// A file system without room: registrations are refused with 503, what was acknowledged stays and is still
// answered, and when there is room again all goes on without a restart.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { LmdbGeneration } from '../../src/location/log/generation/lmdb-generation.ts';
import { Aorta } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { bindings, SipClient } from '../support/sip-client.ts';
import { fillDisk, mountSmallDisk, unmount } from '../support/small-disk.ts';

const SIZE = '48m';
const PAGE = 4096;
const disk = mountSmallDisk(SIZE);

afterEach(async () => {
  await killAll();
  if (typeof disk === 'string') for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
});
afterAll(() => {
  if (typeof disk === 'string') unmount(disk);
});

/** Registers one contact; the status. */
async function register(client: SipClient, n: number, cseq: number, expires = 3600): Promise<number> {
  const fields = { aor: `u${n}@example.com`, callId: `full-${n}`, cseq, expires };
  const text = client.register({ ...fields, contacts: [`<sip:u${n}@127.0.0.1:5070;pad=${'x'.repeat(600)}>`] });
  return (await client.request(text)).status;
}

async function registered(client: SipClient, n: number): Promise<number | undefined> {
  const answer = await client.request(client.register({ aor: `u${n}@example.com` }));
  expect(answer.status, answer.text).toBe(200);
  return [...bindings(answer).values()][0];
}

const title = typeof disk === 'string' ? 'a full disk' : `a full disk, skipped: ${disk.reason}`;

describe.skipIf(typeof disk !== 'string')(title, () => {
  it('R3261-10.3-33 R3261-8.2-01 refuses with 503, is not ready, loses nothing, and goes on by itself when there is room', async () => {
    const place = String(disk);
    const ballast = join(place, 'ballast');
    const aorta = await Aorta.start({ data: join(place, 'data'), shards: 2, flags: ['--admin', 'http:127.0.0.1:0'] });
    const url = readFileSync(join(aorta.data, 'admin-url'), 'utf8').trim();
    const ready = async (): Promise<number> => (await fetch(`${url}/readyz`)).status;
    const client = await SipClient.open(aorta);
    const acknowledged = new Set<number>();
    const tell = async (n: number, cseq: number): Promise<number> => {
      const status = await register(client, n, cseq);
      if (status === 200) acknowledged.add(n);
      return status;
    };
    for (let n = 0; n < 200; n++) expect(await tell(n, 1)).toBe(200);

    fillDisk(ballast);
    const refused: number[] = [];
    for (let n = 200; n < 3000 && refused.length < 20; n++) {
      const status = await tell(n, 1);
      if (status === 200) continue;
      expect(status).toBe(503);
      refused.push(n);
    }
    expect(refused.length, 'refusals on a full disk').toBe(20);
    const descriptors = (): number => readdirSync(`/proc/${aorta.child.pid}/fd`).length;
    const before = descriptors();
    for (let again = 0; again < 40; again++) await register(client, refused[0], 2 + again);
    expect(descriptors(), 'a commit that fails leaves nothing open').toBeLessThanOrEqual(before + 3);
    expect(aorta.alive).toBe(true);
    expect(await ready()).toBe(503);
    expect(aorta.stderr.match(/"event":"commit failed"/g)?.length, 'a line per shard').toBeLessThanOrEqual(2);
    // What LMDB prints of a page without room overruns its memory: it never gets that far.
    expect(aorta.stderr).not.toContain('Write error');
    for (const n of [0, 99, 199]) expect(await registered(client, n), 'lookups go on').toBeGreaterThan(3000);
    for (const n of refused) expect(await registered(client, n), 'refused, so not there').toBeUndefined();

    rmSync(ballast);
    await poll('readiness, though nobody registers', 20_000, async () => (await ready()) === 200 || undefined);
    for (const n of refused) expect(await tell(n, 100), 'room again').toBe(200);
    const last = refused[refused.length - 1];
    for (let n = last + 1; n < last + 50; n++) expect(await tell(n, 1)).toBe(200);

    fillDisk(ballast);
    await aorta.kill9();
    rmSync(ballast);
    const again = await aorta.restart();
    const lost: number[] = [];
    for (const n of acknowledged) if ((await registered(client, n)) === undefined) lost.push(n);
    expect(lost).toEqual([]);
    client.close();
    await again.stop();
  });

  it('starts on a full disk, and has what it acknowledged', async () => {
    const place = String(disk);
    const ballast = join(place, 'ballast');
    const aorta = await Aorta.start({ data: join(place, 'data'), shards: 2 });
    const client = await SipClient.open(aorta);
    for (let n = 0; n < 50; n++) expect(await register(client, n, 1)).toBe(200);
    fillDisk(ballast);
    for (let n = 50; (await register(client, n, 1)) === 200; n++); // what had been made ahead is used up, too
    await aorta.kill9();
    fillDisk(join(place, 'more')); // what its end has freed
    expect(statSync(join(aorta.data, 'reserve')).size).toBe(1 << 20);
    const under = ['env', 'AORTA_WARM_UP=on']; // the rehearsal wants room, too
    const full = await Aorta.launch({ ...aorta.options, under, port: aorta.port, data: aorta.data });
    const exit = await Promise.race([full.child.exited, full.child.until(/^ready/m, 20_000)]);
    expect(exit, full.stderr).toBeUndefined();
    expect(existsSync(join(aorta.data, 'reserve')), 'made room with it').toBe(false);
    expect(await registered(client, 7)).toBeGreaterThan(3000);
    await full.kill9();
    for (const file of [ballast, join(place, 'more')]) rmSync(file);
    const again = await aorta.restart();
    for (let n = 0; n < 50; n++) expect(await registered(client, n)).toBeGreaterThan(3000);
    client.close();
    await again.stop();
  });

  it('leaves the last room to neighbours: a log zeroes nothing ahead there', () => {
    const place = String(disk);
    const ballast = join(place, 'ballast');
    fillDisk(ballast);
    truncateSync(ballast, statSync(ballast).size - (4 << 20));
    const bytesOf = (name: string): number => {
      const generation = new LmdbGeneration(join(place, name), 1, 64 << 20, 'durable', new Uint8Array(64));
      const { bytes } = generation;
      generation.discard();
      return bytes;
    };
    expect(bytesOf('last')).toBeLessThan(1 << 18);
    rmSync(ballast);
    expect(bytesOf('first')).toBeGreaterThan(1 << 20);
  });

  it('says what to do about a start that finds room for its lock alone', async () => {
    const place = String(disk);
    const ballast = join(place, 'ballast');
    const admin = ['--admin', 'http:127.0.0.1:0'];
    const aorta = await Aorta.start({ data: join(place, 'data'), flags: admin });
    await aorta.stop();
    rmSync(join(aorta.data, 'reserve'));
    fillDisk(ballast);
    truncateSync(ballast, (Math.floor(statSync(ballast).size / PAGE) - 1) * PAGE);
    const full = await Aorta.launch({ ...aorta.options, data: aorta.data });
    expect((await full.child.end(20_000)).code).toBe(1);
    expect(full.stderr).toMatch(/^aorta: cannot write to the data directory \S+data \(ENOSPC.*free some space/m);
  });

  it('makes no user store on a full disk, says so, and makes it when there is room', () => {
    const place = String(disk);
    const ballast = join(place, 'ballast');
    const data = join(place, 'users-only');
    const add = (user = 'alice@example.com') =>
      spawnSync(process.execPath, ['dist/cli.js', 'user', 'add', user, '--data', data], {
        input: 'secret\n',
        encoding: 'utf8',
        timeout: 20_000,
      });
    fillDisk(ballast);
    const refused = add();
    expect({ status: refused.status, signal: refused.signal }).toEqual({ status: 1, signal: null });
    expect(refused.stderr).toMatch(/ENOSPC.*free space on its disk/);
    rmSync(ballast);
    expect(add().status).toBe(0);
    expect(readdirSync(data).filter((name) => name.startsWith('users'))).toEqual(['users']);
    fillDisk(ballast);
    const later = add('bob@example.com');
    expect({ status: later.status, signal: later.signal }).toEqual({ status: 1, signal: null });
    expect(later.stderr).toBe(`aorta: ${data}/users: the disk is full\n`);
    rmSync(ballast);
    expect(add('bob@example.com').status).toBe(0);
  });
});
