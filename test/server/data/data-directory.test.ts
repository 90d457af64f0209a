// The data directory: one process at a time, what was fixed stays, and every refusal says what to do.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openDataDirectory } from '../../../src/server/data/data-directory.ts';
import { DataDirectoryError } from '../../../src/server/data/directory-error.ts';
import { DATA_FORMAT, OLDEST_IN_PLACE } from '../../../src/server/data/directory-meta.ts';
import { bundle } from '../../support/bundle.ts';
import { Child, killAll } from '../../support/child-process.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-data-'));
let count = 0;
let path: string;

beforeEach(() => {
  path = join(base, `data-${count++}`);
});

afterAll(async () => {
  await killAll();
  rmSync(base, { recursive: true, force: true });
});

function refusal(shards = 2): DataDirectoryError {
  try {
    openDataDirectory(path, { shards }).close();
  } catch (error) {
    if (error instanceof DataDirectoryError) return error;
    throw error;
  }
  return expect.unreachable('it was opened');
}

describe('data directory', () => {
  it.each(Array.from({ length: DATA_FORMAT - OLDEST_IN_PLACE }, (_, i) => OLDEST_IN_PLACE + i))(
    'of format %i becomes one of today’s where it lies, which the version before does not open',
    (format) => {
      const first = openDataDirectory(path, { shards: 2 });
      first.close();
      const file = join(path, 'aorta.json');
      const { checksum: _, ...meta } = JSON.parse(readFileSync(file, 'utf8'));
      expect(meta.format).toBe(DATA_FORMAT);
      for (const name of [file, `${file}.copy`]) writeFileSync(name, JSON.stringify({ ...meta, format }));
      const again = openDataDirectory(path, { shards: 2 });
      expect(again.move).toBeUndefined();
      expect(again.bindings).toMatchObject({ path, shards: 2, format: DATA_FORMAT });
      expect(again.secret).toEqual(first.secret);
      again.close();
      for (const name of [file, `${file}.copy`])
        expect(JSON.parse(readFileSync(name, 'utf8')).format).toBe(DATA_FORMAT);
    },
  );

  it('is made with a secret of its own, for its owner only, and is the same when opened again', () => {
    const first = openDataDirectory(path, { shards: 2 });
    expect(first.secret.length).toBe(32);
    expect(first.bindings).toMatchObject({ path, shards: 2 });
    expect(first.move).toBeUndefined();
    if (process.platform !== 'win32') {
      expect(statSync(path).mode & 0o777).toBe(0o700);
      expect(statSync(join(path, 'aorta.json')).mode & 0o777).toBe(0o600);
    }
    expect(existsSync(join(path, 'aorta.json.new'))).toBe(false);
    first.close();
    const again = openDataDirectory(path, { shards: 2 });
    expect(again.secret).toEqual(first.secret);
    again.close();
    const other = openDataDirectory(`${path}-other`, { shards: 2 });
    expect(other.secret).not.toEqual(first.secret);
    other.close();
  });

  it('admits one process, names the one that holds it, and opens at once after kill -9', async () => {
    const child = await bundle('test/server/data/data-directory-child.ts');
    const holder = new Child(process.execPath, [child, path, '2']);
    await holder.until(/open/, 10_000);
    expect(refusal()).toMatchObject({ kind: 'locked', message: expect.stringContaining(`process ${holder.pid}`) });
    const second = new Child(process.execPath, [child, path, '2']);
    expect((await second.end(10_000)).code).toBe(1);
    expect(second.stderr).toContain(`in use by process ${holder.pid}`);
    holder.signal('SIGKILL');
    await holder.exited;
    openDataDirectory(path, { shards: 2 }).close();
  });

  it.skipIf(process.platform === 'win32')('admits nobody else where somebody has removed its lock', () => {
    const open = openDataDirectory(path, { shards: 2 });
    rmSync(join(path, 'lock'));
    expect(refusal().kind).toBe('locked');
    open.close();
    openDataDirectory(path, { shards: 2 }).close();
  });

  it('is not opened twice by one process either', () => {
    const open = openDataDirectory(path, { shards: 2 });
    expect(refusal().kind).toBe('locked');
    open.close();
    openDataDirectory(path, { shards: 2 }).close();
  });

  it('has bindings moved to another number of shards, and until that is complete keeps the old ones', () => {
    openDataDirectory(path, { shards: 3 }).close();
    mkdirSync(join(path, 'shard-2'));
    const wish = openDataDirectory(path, { shards: 2, anyShards: true });
    expect(wish.bindings.shards, 'a wish moves nothing').toBe(3);
    expect(wish.move).toBeUndefined();
    wish.close();

    const broken = openDataDirectory(path, { shards: 2 });
    expect(broken.move).toMatchObject({ from: { path, shards: 3 }, to: { shards: 2 } });
    mkdirSync(join(broken.bindings.path, 'shard-0'), { recursive: true });
    broken.close(); // as a process that dies leaves it
    const again = openDataDirectory(path, { shards: 3 });
    expect(again.move).toBeUndefined();
    expect(existsSync(broken.bindings.path), 'what it had begun is gone').toBe(false);
    expect(existsSync(join(path, 'shard-2'))).toBe(true);
    again.close();

    const whole = openDataDirectory(path, { shards: 2 });
    mkdirSync(join(whole.bindings.path, 'shard-0'), { recursive: true });
    whole.move?.complete();
    whole.close();
    expect(existsSync(join(path, 'shard-2')), 'the old ones are gone').toBe(false);
    const moved = openDataDirectory(path, { shards: 2 });
    expect(moved.move).toBeUndefined();
    expect(moved.bindings).toMatchObject({ path: whole.bindings.path, shards: 2 });
    moved.close();
    const back = openDataDirectory(path, { shards: 3 });
    expect(back.move?.to.path, 'a folder is never used twice').not.toBe(whole.bindings.path);
    back.move?.abandon();
    back.close();
  });

  it('refuses a newer format, whatever else that has', () => {
    mkdirSync(path);
    writeFileSync(join(path, 'aorta.json'), JSON.stringify({ format: DATA_FORMAT + 1, nodes: [] }));
    expect(refusal()).toMatchObject({ kind: 'newer', message: expect.stringContaining(`format ${DATA_FORMAT + 1}`) });
  });

  it('starts by the copy of a damaged description, whichever bit of it flipped, and keeps what was damaged', () => {
    const made = openDataDirectory(path, { shards: 2 });
    made.close();
    const file = join(path, 'aorta.json');
    const sound = readFileSync(file);
    for (let bit = 0; bit < 8 * sound.length; bit += 29) {
      const bytes = Buffer.from(sound);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(file, bytes);
      const opened = openDataDirectory(path, { shards: 2 });
      opened.close();
      expect(opened.problem, `bit ${bit}`).toContain(file);
      expect(opened.secret).toEqual(made.secret);
      expect(opened.move).toBeUndefined();
      expect(readFileSync(`${file}.damaged`).equals(bytes)).toBe(true);
      expect(readFileSync(file).equals(sound)).toBe(true);
    }
    for (const text of ['', '{', 'null', '[]', '{"format":1}', sound.subarray(0, 40)]) {
      writeFileSync(file, text);
      const opened = openDataDirectory(path, { shards: 2 });
      opened.close();
      expect(opened.secret).toEqual(made.secret);
    }
    rmSync(file);
    mkdirSync(join(path, 'shard-0'));
    const opened = openDataDirectory(path, { shards: 2 });
    opened.close();
    expect([opened.problem, opened.secret]).toEqual([expect.stringContaining('it is missing'), made.secret]);
    const last = openDataDirectory(path, { shards: 2 });
    last.close();
    expect(last.problem).toBeUndefined();
  });

  it('refuses a description that cannot be read, nor its copy, names both and changes nothing', () => {
    openDataDirectory(path, { shards: 2 }).close();
    const file = join(path, 'aorta.json');
    const sound = readFileSync(file, 'utf8');
    for (const text of ['', '{', 'null', '[]', '{"format":1}', sound.replace('"shards": 2', '"shards": 3')]) {
      for (const name of [file, `${file}.copy`]) writeFileSync(name, text);
      expect(refusal()).toMatchObject({ kind: 'damaged', message: expect.stringContaining(`${file}.copy: `) });
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
    for (const name of [file, `${file}.copy`]) rmSync(name);
    mkdirSync(join(path, 'shard-0'));
    expect(refusal()).toMatchObject({ kind: 'damaged', message: expect.stringContaining('missing') });
    writeFileSync(file, sound);
    openDataDirectory(path, { shards: 2 }).close();
  });

  it('reads a description of before there were checksums, and seals it', () => {
    openDataDirectory(path, { shards: 2 }).close();
    const file = join(path, 'aorta.json');
    const { checksum: _, ...old } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(old));
    rmSync(`${file}.copy`);
    const opened = openDataDirectory(path, { shards: 2 });
    opened.close();
    expect(opened.problem).toBeUndefined();
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ ...old, checksum: expect.any(String) });
    expect(readFileSync(`${file}.copy`).equals(readFileSync(file))).toBe(true);
  });

  it('with the description of before a move starts nothing, removes no store and says what to do', () => {
    openDataDirectory(path, { shards: 2 }).close();
    const file = join(path, 'aorta.json');
    for (const shard of [0, 1]) mkdirSync(join(path, `shard-${shard}`));
    const before = readFileSync(file);
    const first = openDataDirectory(path, { shards: 3 });
    for (const shard of [0, 1, 2]) mkdirSync(join(first.bindings.path, `shard-${shard}`));
    first.move?.complete();
    first.close();
    const between = readFileSync(file);
    const stores = () => readdirSync(path).filter((name) => /^(shard|bindings)-/.test(name));
    const demandRefused = (old: Buffer, kept: string) => {
      const now = readFileSync(file);
      writeFileSync(file, old);
      for (const shards of [2, 3, 4])
        expect(refusal(shards)).toMatchObject({ kind: 'mismatch', message: expect.stringContaining(`holds ${kept}`) });
      expect(stores()).toEqual([kept]);
      expect(readFileSync(file).equals(old)).toBe(true);
      writeFileSync(file, now);
    };
    demandRefused(before, 'bindings-1');
    const second = openDataDirectory(path, { shards: 2 });
    mkdirSync(join(second.bindings.path, 'shard-0'));
    second.move?.complete();
    second.close();
    demandRefused(before, 'bindings-2');
    demandRefused(between, 'bindings-2');
    openDataDirectory(path, { shards: 2 }).close();
    mkdirSync(join(path, 'bindings-2', 'shard-2'));
    expect(refusal(), 'more stores than there are shards').toMatchObject({ kind: 'mismatch' });
  });

  it('whose move ended at any moment has the old stores or the new ones', () => {
    openDataDirectory(path, { shards: 2 }).close();
    for (const shard of [0, 1]) mkdirSync(join(path, `shard-${shard}`));
    const began = openDataDirectory(path, { shards: 1 });
    began.close();
    rmSync(join(path, 'bindings-1', 'unfinished')); // the folder, and the power went
    openDataDirectory(path, { shards: 2 }).close();
    expect(existsSync(join(path, 'bindings-1'))).toBe(false);
    const whole = openDataDirectory(path, { shards: 1 });
    mkdirSync(join(whole.bindings.path, 'shard-0'));
    cpSync(path, `${path}-moving`, { recursive: true });
    whole.move?.complete();
    whole.close();
    // The description had changed, and nothing else yet.
    path = `${path}-moving`;
    for (const name of ['aorta.json', 'aorta.json.copy'])
      cpSync(join(path.replace('-moving', ''), name), join(path, name));
    renameSync(join(path, 'shard-1'), join(path, 'shard-1.leftover'));
    const opened = openDataDirectory(path, { shards: 1 });
    opened.close();
    expect(opened.bindings.path).toBe(join(path, 'bindings-1'));
    expect(readdirSync(path).filter((name) => /shard|bindings|left/.test(name))).toEqual(['bindings-1']);
    expect(readdirSync(join(path, 'bindings-1'))).toEqual(['shard-0']);
  });

  it('says so where it cannot write', () => {
    writeFileSync(path, 'a file');
    expect(refusal()).toMatchObject({ kind: 'unwritable', message: expect.stringContaining(path) });
  });

  it.skipIf(process.platform !== 'linux')('is refused at once where nothing can be made', () => {
    path = '/proc/aorta/data';
    expect(refusal()).toMatchObject({ kind: 'unwritable', message: expect.stringContaining('/proc/aorta') });
  });
});
