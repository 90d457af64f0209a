// A copy of a store that is written while it is copied: what came after its moment is not in it, be it at the end of a file or before.

import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { takeReadyCopy } from '../../../src/location/files/ready-copy.ts';
import { logFiles } from '../../../src/location/log/log-folder.ts';
import type { LogStore } from '../../../src/location/log/log-store.ts';
import { openLogStore } from '../../../src/location/open-log-store.ts';
import { CopyReader } from '../../../src/server/cluster/exchange/copy-format.ts';
import { giveCopy } from '../../../src/server/cluster/exchange/copy-source.ts';
import { CopyWriter } from '../../../src/server/cluster/exchange/copy-writer.ts';
import { backUp, restore } from '../../../src/server/data/backup.ts';
import { openDataDirectory } from '../../../src/server/data/data-directory.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

/** Commits, of a page each and what LMDB needs: near to a piece of a copy, and into the next. */
const BEFORE = [0, 60, 120, 180];
const MEANWHILE = 120;

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0).reverse()) close();
});
afterAll(removeDirectories);

class Served {
  readonly data = join(temporaryDirectory(), 'data');
  readonly shardPath = join(this.data, 'shard-0');
  private readonly shard: VirtualShard;
  private users = 0;

  constructor() {
    const directory = openDataDirectory(this.data, { shards: 1 });
    const store = openLogStore(this.shardPath, 'process');
    closes.push(() => directory.close());
    closes.push(() => store.close());
    this.shard = new VirtualShard({ store });
  }

  /** So many more users, each by a commit of its own. */
  register(count: number): void {
    for (let i = 0; i < count; i++) {
      const aor = `<sip:user${this.users++}@example.com>`;
      const options = { to: aor, from: `${aor};tag=1`, callId: aor, contacts: ['<sip:a@192.0.2.1>'] };
      expect(this.shard.send(register(options))?.status).toBe(200);
    }
  }
}

function usersIn(store: LogStore): number {
  closes.push(() => store.close());
  expect([store.quarantined, store.log.problems]).toEqual([0, { aside: [], unfinished: [], missing: [] }]);
  return storedBindings(store).size;
}

describe.each(BEFORE)('a copy of a store with %i bindings, which goes on meanwhile', (before) => {
  it('is one of its moment as a backup', async () => {
    const served = new Served();
    served.register(before);
    const backup = join(temporaryDirectory(), 'backup');
    await backUp(served.data, backup, () => served.register(MEANWHILE));
    const restored = join(temporaryDirectory(), 'restored');
    expect(restore(backup, restored)).toEqual({ aors: before, bindings: before, damaged: 0 });
    const store = openLogStore(join(restored, 'shard-0'), 'process');
    expect(usersIn(store)).toBe(before);
    new VirtualShard({ store }).send(register({ contacts: ['<sip:alice@192.0.2.1>'] }));
    store.close();
    expect(usersIn(openLogStore(join(restored, 'shard-0'), 'process')), 'another life').toBe(before + 1);
  });

  it('is one of its moment at another node', async () => {
    const served = new Served();
    served.register(before);
    const to = join(temporaryDirectory(), 'shard-0');
    mkdirSync(to);
    const writer = new CopyWriter(to);
    const reader = new CopyReader(writer);
    await giveCopy(served.shardPath, async (bytes) => {
      await reader.take(bytes);
      served.register(MEANWHILE);
    });
    expect(reader.isWhole).toBe(true);
    await writer.sync();
    writer.finish();
    expect(takeReadyCopy(to)).toBe(true);
    expect(usersIn(openLogStore(to, 'process'))).toBe(before);
  });
});

it('a copy of a store that rests holds all of it, again and again', async () => {
  const served = new Served();
  served.register(100);
  for (const close of closes.splice(0).reverse()) close();
  let data = served.data;
  for (let copies = 0; copies < 3; copies++) {
    const backup = join(temporaryDirectory(), 'backup');
    await backUp(data, backup, () => {});
    data = join(temporaryDirectory(), 'restored');
    expect(restore(backup, data)).toEqual({ aors: 100, bindings: 100, damaged: 0 });
  }
});

/** LMDB's two pages that say which transaction is the newest. */
const META_BYTES = 8192;

it('a copy of a store holds what was settled last, though a cut of power took the page that says so', async () => {
  const served = new Served();
  served.register(10);
  const path = join(served.shardPath, logFiles(served.shardPath)[0]);
  const before = readFileSync(path).subarray(0, META_BYTES);
  served.register(1);
  for (const close of closes.splice(0).reverse()) close();
  const fd = openSync(path, 'r+');
  writeSync(fd, before, 0, META_BYTES, 0);
  closeSync(fd);
  const backup = join(temporaryDirectory(), 'backup');
  await backUp(served.data, backup, () => {});
  expect(restore(backup, join(temporaryDirectory(), 'restored'))).toEqual({ aors: 11, bindings: 11, damaged: 0 });
});
