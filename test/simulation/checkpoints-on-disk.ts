// The checkpoints of a shard on a simulated disk. Names are made and changed with a sync of their directory, as the real ones are;
// a crash may come before it.

import type { CheckpointFile, CheckpointPlace } from '../../src/location/checkpoint/checkpoint.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import type { TableNews } from '../../src/location/table/binding-table.ts';
import { Checkpointer } from '../../src/threads/checkpoint/checkpointer.ts';
import { Crash, DiskBytes, type DiskOperation, type SimulatedDisk } from './disk.ts';
import type { LogOnDisk } from './log-on-disk.ts';

const CURRENT = 'checkpoint';
const NEXT = 'checkpoint.new';
const REFUSED = 'checkpoint.refused';

export function checkpointsOn(disk: SimulatedDisk): CheckpointPlace {
  const { files, life } = disk;
  const step = (operation: DiskOperation, partly?: () => void) => {
    if (disk.life !== life) throw new Crash('its process has ended');
    disk.step(operation, partly);
  };
  const rename = (from: string, to: string) => {
    const file = files.get(from);
    if (file === undefined) throw new Error(`there is no ${from}`);
    const move = () => {
      files.delete(from);
      files.set(to, file);
    };
    step('checkpoint', move);
    move();
  };
  return {
    name: CURRENT,
    create() {
      step('checkpoint');
      const file = new DiskBytes(0);
      files.set(NEXT, file);
      return fileOn(disk, file, step);
    },
    accept: () => rename(NEXT, CURRENT),
    abandon() {
      if (disk.dead || disk.life !== life) return;
      files.delete(NEXT);
    },
    open() {
      const file = files.get(CURRENT);
      return file === undefined ? null : fileOn(disk, file, step);
    },
    refuse: () => rename(CURRENT, REFUSED),
    remove() {
      step('drop');
      files.delete(CURRENT);
    },
  };
}

function fileOn(disk: SimulatedDisk, file: DiskBytes, step: SimulatedDisk['step']): CheckpointFile {
  return {
    get size() {
      return file.bytes.length;
    },
    read(from, into, at, length) {
      step('read');
      const piece = file.bytes.subarray(from, from + length);
      into.set(piece, at);
      return piece.length;
    },
    write(at, bytes) {
      step('checkpoint', () => file.write(at, bytes.subarray(0, disk.random.between(0, bytes.length))));
      file.write(at, bytes);
    },
    sync() {
      step('checkpoint');
      file.sync();
    },
    close() {},
  };
}

/** A checkpoint of the store, as the helper thread writes it: piece by piece, while commits come between. */
export function writeCheckpoint(store: LogStore, log: LogOnDisk, disk: SimulatedDisk): Promise<unknown> {
  const news: TableNews[] = [];
  const parts = store.share((item) => news.push(item));
  const around = {
    place: checkpointsOn(disk),
    next: () => news.shift(),
    syncLog: () => log.syncAll(),
    sleep: () => Promise.resolve(),
    close: () => {},
  };
  return new Checkpointer({ parts, marks: store.marks.memory, bytes: 0 }, 0, around).write();
}
