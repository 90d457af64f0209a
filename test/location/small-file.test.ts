// Small files keep their word: whatever a disk does to a write, what was there before or what was written is there afterwards.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SmallFile, SmallFileError } from '../../src/location/files/small-file.ts';
import { DataDirectoryError } from '../../src/server/data/directory-error.ts';
import { openFlowNumbers } from '../../src/server/data/flow-numbers.ts';
import { changeStatic, findStatic, type StaticContent, settleStatic } from '../../src/shard/statics/static-file.ts';
import { StaticTable } from '../../src/shard/statics/static-table.ts';
import { Random } from '../simulation/shards/random.ts';
import { PowerCut, SimulatedFiles } from '../support/simulated-files.ts';

const PATH = '/data/thing.json';
const COPY = `${PATH}.copy`;

interface Content {
  readonly items: readonly string[];
}

function check(content: unknown): Content {
  const { items, ...others } = content as Record<string, unknown>;
  if (!Array.isArray(items) || Object.keys(others).length > 0) throw new Error('no items');
  return { items };
}

function fileOn(calls: SimulatedFiles): SmallFile<Content> {
  return new SmallFile(PATH, { check, calls });
}

/** Content of its own for each round, and long enough to be written in pieces. */
function contentOf(round: number): Content {
  return { items: Array.from({ length: 20 }, (_, i) => `item ${round}-${i} ü`) };
}

describe('a small file', () => {
  it('is written on where a write was short', () => {
    const disk = new SimulatedFiles();
    disk.fault = (call) => (call === 'write' ? 'short' : undefined);
    fileOn(disk).write(contentOf(1));
    expect(fileOn(disk).read()).toEqual({ content: contentOf(1), sealed: true });
  });

  it('keeps what it held where any call fails, says so, and leaves no descriptor open', () => {
    for (const fault of ['ENOSPC', 'EIO', 'EMFILE'] as const) {
      for (let at = 0; at < 14; at++) {
        const disk = new SimulatedFiles();
        fileOn(disk).write(contentOf(1));
        disk.calls = 0;
        disk.fault = (_, number) => (number === at ? fault : undefined);
        let failed = false;
        try {
          fileOn(disk).write(contentOf(2));
        } catch (error) {
          failed = true;
          expect((error as NodeJS.ErrnoException).code).toBe(fault);
        }
        expect(failed, `call ${at}`).toBe(at < disk.calls && at < 10);
        const { content, problem } = fileOn(disk).read() ?? {};
        expect(problem).toBeUndefined();
        expect([contentOf(1), contentOf(2)]).toContainEqual(content);
        expect(disk.open.size).toBe(0);
      }
    }
  });

  it('survives a power cut at any call, whatever of the unsynced reached the disk', () => {
    for (let seed = 0; seed < 3000; seed++) {
      const chance = new Random(seed);
      const random = () => chance.next();
      let disk = new SimulatedFiles();
      fileOn(disk).write(contentOf(0));
      let acknowledged = 0;
      for (let round = 1; round < 4; round++) {
        const cutAt = Math.floor(random() * 12);
        const before = disk;
        before.calls = 0;
        before.fault = (_, number) => (number >= cutAt ? 'cut' : undefined);
        let done = false;
        try {
          fileOn(before).write(contentOf(round));
          done = true;
        } catch (error) {
          expect(error).toBeInstanceOf(PowerCut);
        }
        disk = before.afterCut(random);
        const found = fileOn(disk).read();
        const allowed = done ? [round] : [acknowledged, round];
        expect(allowed.map(contentOf), `seed ${seed}, round ${round}`).toContainEqual(found?.content);
        acknowledged = allowed.find((n) => contentOf(n).items[0] === found?.content.items[0]) ?? -1;
        fileOn(disk).settle(found as NonNullable<typeof found>);
      }
    }
  });

  it('notices every flipped bit, and is read from its copy then', () => {
    const disk = new SimulatedFiles();
    fileOn(disk).write(contentOf(7));
    const sound = disk.read(PATH);
    for (let bit = 0; bit < 8 * sound.length; bit++) {
      const bytes = Buffer.from(sound);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      disk.put(PATH, bytes);
      const found = fileOn(disk).read();
      expect(found, `bit ${bit}`).toMatchObject({ content: contentOf(7), problem: expect.stringContaining(PATH) });
    }
    for (let length = 0; length < sound.length; length++) {
      disk.put(PATH, sound.subarray(0, length));
      expect(fileOn(disk).read()?.content).toEqual(contentOf(7));
    }
  });

  it('is put in order by a start: the damaged one is kept aside, its copy takes its place', () => {
    const disk = new SimulatedFiles();
    fileOn(disk).write(contentOf(1));
    disk.put(PATH, 'x');
    const found = fileOn(disk).read();
    fileOn(disk).settle(found as NonNullable<typeof found>);
    expect(disk.read(`${PATH}.damaged`).toString()).toBe('x');
    expect(fileOn(disk).read()).toEqual({ content: contentOf(1), sealed: true });
    disk.put(COPY, 'y');
    const again = fileOn(disk).read();
    fileOn(disk).settle(again as NonNullable<typeof again>);
    expect(disk.read(COPY)).toEqual(disk.read(PATH));
  });

  it('of before there were checksums is read, and sealed by the next start', () => {
    const disk = new SimulatedFiles();
    disk.put(PATH, JSON.stringify(contentOf(1)));
    const found = fileOn(disk).read();
    expect(found).toEqual({ content: contentOf(1), sealed: false });
    fileOn(disk).settle(found as NonNullable<typeof found>);
    expect(fileOn(disk).read()).toEqual({ content: contentOf(1), sealed: true });
  });

  it('that cannot be read at all names itself, its copy and why', () => {
    const disk = new SimulatedFiles();
    expect(fileOn(disk).read()).toBeUndefined();
    for (const [file, copy] of [
      ['{', undefined],
      ['{', '{"items": 1}'],
      [undefined, 'null'],
      ['', ''],
    ] as const) {
      const bad = new SimulatedFiles();
      if (file !== undefined) bad.put(PATH, file);
      if (copy !== undefined) bad.put(COPY, copy);
      expect(() => fileOn(bad).read()).toThrow(SmallFileError);
      expect(() => fileOn(bad).read()).toThrow(new RegExp(`${PATH}: .+; ${COPY}: .+`));
    }
  });
});

describe('numbers of connections', () => {
  const log = () => {};
  const reserved = (disk: SimulatedFiles) => JSON.parse(disk.read('/data/flows').toString()).reserved as number;

  it('are never given out twice, whatever fails at a start or later', () => {
    const disk = new SimulatedFiles();
    disk.put('/data/flows', '4294967000\n'); // as versions before wrote it, near the end of the numbers
    const first = openFlowNumbers('/data', log, disk);
    expect(first.first).toBe(4_294_967_000);
    expect(reserved(disk)).toBe((4_294_967_000 + 2 * first.step) % 2 ** 32);
    const second = openFlowNumbers('/data', log, disk);
    expect(second.first).toBe(reserved(disk) - 2 * second.step);
    disk.put('/data/flows', 'x');
    const told: string[] = [];
    const third = openFlowNumbers('/data', (_, event) => told.push(event), disk);
    expect(third.first, 'the copy may be a step behind').toBe((second.first + 3 * second.step) % 2 ** 32);
    expect(told).toEqual(['a damaged file was set aside, its copy is used']);
  });

  it('go on where the disk fails for a while', () => {
    const disk = new SimulatedFiles();
    const told: string[] = [];
    const numbers = openFlowNumbers('/data', (_, event) => told.push(event), disk);
    const before = reserved(disk);
    disk.fault = () => 'ENOSPC';
    numbers.reserve();
    expect(told).toEqual(['numbers of connections cannot be reserved']);
    disk.fault = () => undefined;
    numbers.reserve();
    expect(reserved(disk)).toBe((before + 2 * numbers.step) % 2 ** 32);
    expect(disk.open.size).toBe(0);
  });

  it('that cannot be read stop a start, with advice', () => {
    const disk = new SimulatedFiles();
    disk.put('/data/flows', 'x');
    expect(() => openFlowNumbers('/data', log, disk)).toThrow(DataDirectoryError);
    expect(() => openFlowNumbers('/data', log, disk)).toThrow(/\/data\/flows.*remove it/);
  });
});

describe('static bindings', () => {
  const data = mkdtempSync(join(tmpdir(), 'aorta-static-'));
  const file = join(data, 'static.json');
  afterAll(() => rmSync(data, { recursive: true, force: true }));
  const many: StaticContent = {
    bindings: Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`fixed${i}@example.com`, [{ uri: `sip:gw${i}@127.0.0.1`, q: 0.5 }]]),
    ),
    aliases: { 'sales@example.com': 'fixed1@example.com' },
  };
  const addOne = (content: StaticContent): StaticContent => ({
    ...content,
    bindings: { ...content.bindings, 'new@example.com': [{ uri: 'sip:n@127.0.0.1' }] },
  });

  it('keep all there were where a disk fills up while one is added', () => {
    const disk = new SimulatedFiles();
    changeStatic(data, () => many, disk);
    let writes = 0;
    disk.fault = (call) => (call !== 'write' ? undefined : writes++ === 0 ? 'short' : 'ENOSPC');
    expect(() => changeStatic(data, addOne, disk)).toThrow(/ENOSPC/);
    disk.fault = () => undefined;
    expect(findStatic(data, disk)).toEqual({ content: many, sealed: true });
    changeStatic(data, addOne, disk);
    expect(findStatic(data, disk).content).toEqual(addOne(many));
  });

  it('of a file without a checksum are read, and those of a damaged one come from its copy', () => {
    writeFileSync(file, JSON.stringify(many));
    expect(findStatic(data).content).toEqual(many);
    expect(settleStatic(data)).toBeUndefined();
    const sealed = readFileSync(file, 'utf8');
    expect(JSON.parse(sealed)).toMatchObject({ ...many, checksum: expect.stringMatching(/^[0-9a-f]{16}$/) });
    writeFileSync(file, sealed.replace('gw17@', 'gw16@'));
    expect(findStatic(data)).toMatchObject({ content: many, problem: expect.stringContaining('checksum is wrong') });
    expect(() => changeStatic(data, addOne), 'nobody loses what was written by hand').toThrow(/is damaged.*cp .*copy/);
    expect(settleStatic(data)).toContain(file);
    expect(findStatic(data)).toEqual({ content: many, sealed: true });
    expect(readFileSync(`${file}.damaged`, 'utf8')).toContain('gw16@');
  });

  it('of AORs whose keys begin alike do not displace one another', () => {
    const keys = new Map([
      ['a@example.com', Uint32Array.of(1, 2, 3, 4)],
      ['b@example.com', Uint32Array.of(1, 2, 3, 5)],
      ['c@example.com', Uint32Array.of(1, 9, 3, 4)],
      ['d@example.com', Uint32Array.of(8, 2, 3, 4)],
    ]);
    const aor = (text: string) => {
      const key = keys.get(text);
      return key && { key, text };
    };
    const table = new StaticTable({ data: null, aor, failed: () => {} });
    const contact = (name: string) => [{ uri: `sip:${name}@192.0.2.1` }];
    table.set({
      bindings: { 'a@example.com': contact('a'), 'c@example.com': contact('c'), 'd@example.com': contact('d') },
      aliases: { 'b@example.com': 'd@example.com' },
    });
    const found = (name: string) =>
      Buffer.from(table.images(keys.get(`${name}@example.com`) as Uint32Array) ?? '').toString('latin1');
    for (const name of ['a', 'c', 'd']) expect(found(name)).toContain(`sip:${name}@192.0.2.1`);
    expect(table.target(keys.get('b@example.com') as Uint32Array)?.text).toBe('d@example.com');
    expect(table.target(keys.get('a@example.com') as Uint32Array)).toBeNull();
    expect(table.images(Uint32Array.of(1, 2, 4, 4))).toBeNull();
  });

  it('that cannot be read for a moment are read a moment later, and what is wrong is told once', () => {
    changeStatic(data, () => many);
    const told: string[] = [];
    const aor = (text: string) => ({ key: Uint32Array.of(text.length, 0, 0, 0), text });
    const table = new StaticTable({ data, aor, failed: (problem) => told.push(problem) });
    table.refresh(1000);
    const key = aor('fixed1@example.com').key;
    expect(table.images(key)).not.toBeNull();
    const sealed = readFileSync(file);
    rmSync(`${file}.copy`);
    writeFileSync(file, '{');
    for (const now of [2000, 3000, 4000]) table.refresh(now);
    expect(told).toEqual([expect.stringMatching(/static\.json is damaged, and so is its copy.*restore it/)]);
    expect(table.images(key), 'what was read before goes on').not.toBeNull();
    writeFileSync(file, sealed);
    table.refresh(5000);
    writeFileSync(file, '{');
    writeFileSync(`${file}.copy`, sealed);
    for (const now of [6000, 7000]) table.refresh(now);
    expect(told).toHaveLength(2);
    expect(told[1]).toContain('its copy is used');
    expect(table.images(key)).not.toBeNull();
  });
});
