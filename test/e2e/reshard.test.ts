// Starting with another number of shards moves the bindings; killed in the middle, the next start finds what was there.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { DATA_FORMAT } from '../../src/server/data/directory-meta.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { fetchAll, keeps, Load } from '../support/load.ts';
import { type OldEntry, writeSecondFormat } from '../support/second-format.ts';
import { SipClient } from '../support/sip-client.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

afterEach(killAll);
afterAll(removeDirectories);

async function compare(load: Load, aorta: Aorta): Promise<void> {
  const seen = await fetchAll(load, aorta);
  const wrong = load.lines.filter((line, index) => {
    const { remaining, askedAt, toldAt } = seen[index];
    return !keeps(line.promised, remaining, askedAt, toldAt);
  });
  expect(wrong.slice(0, 3), `${wrong.length} of ${load.lines.length} AORs are wrong`).toEqual([]);
}

/** A data directory of an older format, without stores. */
function oldDirectory(format: number, shards: number): string {
  const data = temporaryDirectory();
  const secret = Uint8Array.from({ length: 32 }, (_, i) => i + 1); // a VirtualShard's
  const meta = { format, shards, secret: Buffer.from(secret).toString('base64'), created: '2026-01-01T00:00:00Z' };
  writeFileSync(join(data, 'aorta.json'), JSON.stringify(meta));
  return data;
}

/** Registers u0 to u… with one to three contacts each, and gives the records with their keys and their shards. */
function oldRecords(shards: number, aors: number): { key: Uint8Array; record: Uint8Array; shard: number }[] {
  const phones = new VirtualShard({ now: Date.now() });
  for (let n = 0; n < aors; n++) {
    const aor = `<sip:u${n}@example.com>`;
    const contacts = Array.from({ length: (n % 3) + 1 }, (_, i) => `<sip:u${n}@192.0.2.${i}>;expires=${1000 + n}`);
    phones.send(register({ to: aor, from: `${aor};tag=1`, callId: `old-${n}`, cseq: 7, contacts }));
  }
  const records: { key: Uint8Array; record: Uint8Array; shard: number }[] = [];
  phones.store.scan((key, record) => {
    const shard = new DataView(key.buffer, key.byteOffset).getUint32(12, true) % shards;
    records.push({ key: Uint8Array.from(key), record: Uint8Array.from(record), shard });
  });
  return records;
}

/** A data directory as the first format had it: an LMDB environment per shard, a record per AOR. */
function firstFormat(shards: number, aors: number): string {
  const data = oldDirectory(1, shards);
  const stores = Array.from({ length: shards }, (_, shard) =>
    lmdb.open<Buffer, Uint8Array>({
      path: join(data, `shard-${shard}`),
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
    }),
  );
  for (const { key, record, shard } of oldRecords(shards, aors))
    stores[shard].putSync(key as Buffer, Buffer.from(record));
  for (const store of stores) void store.close();
  return data;
}

/** As the second one had it: files of frames. AORs with one contact were refreshed once, u1 went. */
function secondFormat(shards: number, aors: number): string {
  const data = oldDirectory(2, shards);
  const records = oldRecords(shards, aors);
  for (let shard = 0; shard < shards; shard++) {
    const entries: OldEntry[] = [];
    for (const { key, record } of records.filter((of) => of.shard === shard)) {
      const n = Number(/u(\d+)@/.exec(Buffer.from(record).toString('latin1'))?.[1]);
      entries.push({ kind: 'record', key, record, plain: n % 3 === 0 });
      if (n % 3 === 0) entries.push({ kind: 'refresh', key, expiresAt: Date.now() + (3000 + n) * 1000, cseq: 8 });
      if (n === 1) entries.push({ kind: 'removal', key });
    }
    writeSecondFormat(join(data, `shard-${shard}`), entries, 50);
  }
  return data;
}

/** What is left of a grant that was made at the earliest then. */
function expectLeft(seconds: number, granted: number, earliest: number): void {
  expect(seconds).toBeLessThanOrEqual(granted);
  expect(seconds).toBeGreaterThanOrEqual(Math.floor(granted - (Date.now() - earliest) / 1000));
}

describe('a data directory of the first format', () => {
  it('R3261-10.3-31 is moved into the log with all its bindings, whatever the number of shards', async () => {
    const aors = 300;
    const made = Date.now();
    const data = firstFormat(2, aors);
    const aorta = await Aorta.start({ data });
    expect(aorta.stderr).toMatch(/"from_format":1.*"event":"moving bindings"/);
    const client = await SipClient.open(aorta);
    for (let n = 0; n < aors; n++) {
      const found = await client.fetch(`u${n}@example.com`);
      expect(found.size).toBe((n % 3) + 1);
      for (const seconds of found.values()) expectLeft(seconds, 1000 + n, made);
    }
    const old = client.register({ aor: 'u0@example.com', callId: 'old-0', cseq: 6, contacts: ['<sip:u0@192.0.2.0>'] });
    expect((await client.request(old)).status, 'Call-ID and CSeq came along').toBe(500);
    client.close();
    await aorta.stop();
    expect(existsSync(join(data, 'shard-0'))).toBe(false);
    const meta = JSON.parse(readFileSync(join(data, 'aorta.json'), 'utf8'));
    expect(meta).toMatchObject({ format: DATA_FORMAT, shards: 2 });
  });
});

describe('a data directory of the second format', () => {
  it('R3261-10.3-31 is moved from files into LMDB, refreshes and removals too, and killed meanwhile it begins anew', async () => {
    const aors = 300;
    const made = Date.now();
    const data = secondFormat(2, aors);
    const broken = join(data, 'bindings-1', 'shard-0', 'log');
    mkdirSync(broken, { recursive: true }); // what a move that was killed leaves
    writeFileSync(join(data, 'bindings-1', 'unfinished'), '');
    writeFileSync(join(broken, '0000000000.mdb'), 'half of it');
    const aorta = await Aorta.start({ data });
    expect(aorta.stderr).toMatch(/"from_format":2.*"event":"moving bindings"/);
    expect(aorta.stderr).toMatch(/"records":299,"quarantined":0.*"event":"bindings moved"/);
    const client = await SipClient.open(aorta);
    for (let n = 0; n < aors; n++) {
      const found = await client.fetch(`u${n}@example.com`);
      expect(found.size).toBe(n === 1 ? 0 : (n % 3) + 1);
      const granted = n % 3 === 0 ? 3000 + n : 1000 + n;
      for (const seconds of found.values()) expectLeft(seconds, granted, made);
    }
    const old = client.register({ aor: 'u0@example.com', callId: 'old-0', cseq: 8, contacts: ['<sip:u0@192.0.2.0>'] });
    expect((await client.request(old)).status, 'the CSeq of the refresh came along').toBe(500);
    client.close();
    await aorta.stop();
    expect(existsSync(join(data, 'shard-0'))).toBe(false);
    const again = await Aorta.start({ data });
    expect(again.stderr).not.toContain('moving bindings');
    await again.stop();
  });
});

describe('another number of shards', () => {
  it('R3261-10.3-32 keeps every binding, both ways, and leaves nothing behind', async () => {
    const aorta = await Aorta.start({ shards: 1 });
    const interval = (round: number, index: number): number => (round > 0 && index % 5 === 0 ? 0 : 900 + index);
    const load = new Load({ port: aorta.port, aors: 1000, window: 64, rounds: 2, interval });
    await load.open();
    await load.start();
    expect(load.refused).toEqual([]);
    await aorta.kill9();

    const start = { ...aorta.options, port: aorta.port, data: aorta.data };
    const three = await Aorta.start({ ...start, shards: 3 });
    expect(three.stderr).toMatch(/"records":800,.*"event":"bindings moved"/);
    await compare(load, three);
    await three.kill9();
    const same = await Aorta.start({ ...start, shards: 3 });
    expect(same.stderr).not.toContain('moving bindings');
    await compare(load, same);
    await same.stop();

    const back = await Aorta.start({ ...start, shards: 2 });
    await compare(load, back);
    load.close();
    await back.stop();
    const folders = readdirSync(aorta.data).filter((name) => /^(shard|bindings)-/.test(name));
    expect(folders).toEqual(['bindings-2']);
    expect(readdirSync(join(aorta.data, folders[0])).sort()).toEqual(['shard-0', 'shard-1']);
    expect(existsSync(join(aorta.data, 'aorta.json.new'))).toBe(false);
  });
});

describe('damage', () => {
  it('R3261-10.3-32 is told where the store of a shard is not there any more, and not at a first start', async () => {
    const aorta = await Aorta.start({ shards: 2 });
    expect(aorta.stderr).not.toContain('missing');
    await aorta.stop();
    rmSync(join(aorta.data, 'shard-0'), { recursive: true });
    const again = await Aorta.start({ ...aorta.options, port: aorta.port, data: aorta.data });
    expect(again.stderr).toMatch(
      /"level":"error".*"store":"[^"]*shard-0","event":"store of a shard missing, its bindings are lost"/,
    );
    expect(again.stderr).not.toMatch(/"store":"[^"]*shard-1"/);
    await again.stop();
  });

  it('R3261-10.3-32 is named and kept by a start with another number of shards, by a backup and by a restore', async () => {
    const aorta = await Aorta.start({ shards: 1 });
    const client = await SipClient.open(aorta);
    for (let n = 0; n < 20; n++) {
      const contacts = [`<sip:d${n}@192.0.2.1>`];
      expect((await client.request(client.register({ aor: `d${n}@example.com`, contacts }))).status).toBe(200);
    }
    await aorta.stop();
    const log = join(aorta.data, 'shard-0', 'log');
    const file = join(log, readdirSync(log).find((name) => name.endsWith('.mdb')) ?? '');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('d7@example.com') + 20] ^= 1;
    writeFileSync(file, bytes);
    writeFileSync(join(log, '0000000099.mdb'), 'of nobody');

    const start = { ...aorta.options, port: aorta.port, data: aorta.data };
    const two = await Aorta.start({ ...start, shards: 2 });
    expect(two.stderr).toMatch(/"records":19,"quarantined":[1-9].*"event":"bindings moved"/);
    const kept = join(aorta.data, 'damaged', 'shard-0');
    expect(two.stderr).toMatch(/"folder":"[^"]*damaged","files":[2-9].*"event":"damaged bindings were set aside"/);
    expect(readFileSync(join(kept, '0000000099.mdb'), 'latin1')).toBe('of nobody');
    const fetched = await Promise.all(Array.from({ length: 20 }, (_, n) => client.fetch(`d${n}@example.com`)));
    expect(fetched.map(({ size }, n) => [n, size]).filter(([, size]) => size === 0)).toEqual([[7, 0]]);
    await two.stop();

    const copy = join(temporaryDirectory(), 'copy');
    const restored = join(temporaryDirectory(), 'restored');
    expect((await run(process.execPath, [CLI, 'backup', copy, '--data', aorta.data], 30_000)).exit.code).toBe(0);
    expect((await run(process.execPath, [CLI, 'restore', copy, '--data', restored], 30_000)).exit.code).toBe(0);
    const names = readdirSync(kept).sort();
    expect(readdirSync(join(restored, 'damaged', 'shard-0')).sort()).toEqual(names);
    client.close();
  });

  it('R3261-10.3-33 of a record makes its phone register anew at its next refresh, once somebody has asked for it', async () => {
    const aorta = await Aorta.start({ shards: 1, flags: ['--lookup', 'http:127.0.0.1:0'] });
    const client = await SipClient.open(aorta);
    let cseq = 1;
    const send = () =>
      client.request(
        client.register({ aor: 'e@example.com', callId: 'e', cseq: cseq++, contacts: ['<sip:e@192.0.2.1>'] }),
      );
    for (let n = 0; n < 2; n++) expect((await send()).status).toBe(200);
    const log = join(aorta.data, 'shard-0', 'log');
    const file = join(log, readdirSync(log).find((name) => name.endsWith('.mdb')) ?? '');
    const fd = openSync(file, 'r+');
    writeSync(fd, '#', readFileSync(file).indexOf('e@example.com') + 20);
    closeSync(fd);
    const url = `${/^lookups (\S+)\/v1/m.exec(aorta.stdout)?.[1] ?? ''}/v1/aors/e@example.com/contacts`;
    const contacts = async () => ((await (await fetch(url)).json()) as { contacts: unknown[] }).contacts.length;
    expect(await contacts()).toBe(0);
    await poll('the shard has looked', 5000, async () =>
      (await client.fetch('e@example.com')).size === 0 ? true : undefined,
    );
    expect((await send()).status).toBe(200);
    expect(await contacts(), 'its refresh wrote a record').toBe(1);
    client.close();
    await aorta.stop();
  });
});
