// The disk below one directory, rebuilt from a trace, and the disks that a power cut at this moment might have left: what was
// synced is there; of what was not, any part; of names that were not synced, any.

import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Random } from '../simulation/shards/random.ts';
import { type Chances, DiskFile } from './disk-file.ts';
import type { Operation } from './trace.ts';

/** By path below the directory; null: a directory. */
export type DiskImage = ReadonlyMap<string, Buffer | null>;

type Names = Map<string, DiskFile | null>;

interface NameChange {
  readonly operation: Extract<Operation, { path: string }>;
  readonly file: DiskFile | null;
}

/** Syncs that the disk does not make although it says so: for the tests of the tests. */
export type Lie = 'files' | 'directories' | undefined;

export class Disk {
  private readonly root: string;
  private readonly lie: Lie;
  /** As they are on disk. */
  private readonly names: Names = new Map();
  /** As the process sees them. */
  private readonly seen: Names = new Map();
  private changes: NameChange[] = [];
  private readonly byInode = new Map<bigint, DiskFile>();

  constructor(root: string, lie?: Lie) {
    this.root = root;
    this.lie = lie;
  }

  /** All that is there is on disk. `inodeOf` tells the inode of each file, by its path below the root. */
  static of(root: string, image: DiskImage, inodeOf: (path: string) => bigint, lie?: Lie): Disk {
    const disk = new Disk(root, lie);
    for (const [path, content] of image) {
      const file = content === null ? null : new DiskFile(content);
      disk.names.set(path, file);
      disk.seen.set(path, file);
      if (file !== null) disk.byInode.set(inodeOf(path), file);
    }
    return disk;
  }

  /** Everything as its process sees it. */
  whole(): DiskImage {
    return new Map([...this.seen].map(([path, file]) => [path, file === null ? null : file.whole]));
  }

  /** The same disk, whose files lie below another directory now: a process was killed, and the kernel still has what it wrote. */
  movedTo(root: string, inodeOf: (path: string) => bigint): Disk {
    const clones = new Map<DiskFile, DiskFile>();
    const cloneOf = (file: DiskFile | null) => {
      if (file === null) return null;
      const clone = clones.get(file) ?? file.clone();
      clones.set(file, clone);
      return clone;
    };
    const moved = new Disk(root, this.lie);
    for (const [path, file] of this.names) moved.names.set(path, cloneOf(file));
    for (const [path, file] of this.seen) {
      const clone = cloneOf(file);
      moved.seen.set(path, clone);
      if (clone !== null) moved.byInode.set(inodeOf(path), clone);
    }
    moved.changes = this.changes.map(({ operation, file }) => {
      const { path, ...rest } = this.local(operation);
      const to = 'to' in rest ? { to: join(root, rest.to) } : {};
      return { operation: { ...rest, ...to, path: join(root, path) } as NameChange['operation'], file: cloneOf(file) };
    });
    return moved;
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'acknowledged':
        return;
      case 'written':
        return this.byInode.get(operation.inode)?.write(operation.at, operation.data, operation.lasting);
      case 'resized':
        return this.byInode.get(operation.inode)?.resize(operation.size);
      case 'synced':
        return this.lie === 'files' ? undefined : this.byInode.get(operation.inode)?.sync();
      case 'directory synced':
        return this.lie === 'directories' ? undefined : this.syncNames(this.below(operation.path));
      default:
        if (!this.below(operation.path).startsWith('..')) this.changeName(operation);
    }
  }

  /** A disk as it may be after a power cut now. */
  cut(random: Random): DiskImage {
    const names = new Map(this.names);
    for (const change of this.keptChanges(random)) rename(names, this.local(change.operation), change.file);
    const chances = drawChances(random);
    const image = new Map<string, Buffer | null>();
    for (const [path, file] of names) {
      if (!isReachable(names, path)) continue;
      image.set(path, file === null ? null : file.cut(random, chances));
    }
    return image;
  }

  private changeName(operation: NameChange['operation']): void {
    let file: DiskFile | null = null;
    if (operation.kind === 'created') {
      file = new DiskFile();
      this.byInode.set(operation.inode, file);
    } else if (operation.kind === 'renamed' || operation.kind === 'linked') {
      file = this.seen.get(this.below(operation.path)) ?? null;
    }
    this.changes.push({ operation, file });
    rename(this.seen, this.local(operation), file);
  }

  private syncNames(directory: string): void {
    const rest: NameChange[] = [];
    for (const change of this.changes) {
      const operation = this.local(change.operation);
      const isHere = [operation.path, 'to' in operation ? operation.to : operation.path].some(
        (path) => parentOf(path) === directory,
      );
      if (isHere) rename(this.names, operation, change.file);
      else rest.push(change);
    }
    this.changes = rest;
  }

  /** A file system with a journal keeps the first so many; others any. */
  private keptChanges(random: Random): NameChange[] {
    const { changes } = this;
    const style = random.next();
    if (style < 0.15) return [];
    if (style < 0.3) return changes;
    if (style < 0.6) return changes.slice(0, random.between(0, changes.length));
    return changes.filter(() => random.chance(0.5));
  }

  /** Its paths below the root. */
  private local<T extends NameChange['operation']>(operation: T): T {
    const to = 'to' in operation ? { to: this.below(operation.to) } : {};
    return { ...operation, path: this.below(operation.path), ...to };
  }

  private below(path: string): string {
    return relative(this.root, path);
  }
}

/** What lies on the disk when a machine is up again is older than this. */
const BOOT_S = 60;

/** Writes an image to a directory that is empty. */
export function writeImage(directory: string, image: DiskImage): void {
  mkdirSync(directory, { recursive: true });
  const then = Date.now() / 1000 - BOOT_S;
  for (const path of [...image.keys()].sort()) {
    const content = image.get(path);
    const file = join(directory, path);
    if (content === null || content === undefined) {
      mkdirSync(file, { recursive: true, mode: 0o700 });
      continue;
    }
    writeFileSync(file, content, { mode: 0o600 });
    utimesSync(file, then, then);
  }
}

function drawChances(random: Random): Chances {
  const unit = random.chance(0.5) ? 512 : 4096;
  const [oldest, newest] = random.pick([
    [0, 0],
    [0, 0.5],
    [0, 0.9],
    [0, 1],
    [0.5, 0.5],
    [0.9, 0.5],
    [0.5, 1],
    [1, 0],
  ]);
  return { unit, oldest, newest };
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === '.' ? '' : parent;
}

/** Its directories are there, too. */
function isReachable(names: Names, path: string): boolean {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent))
    if (names.get(parent) !== null) return false;
  return true;
}

function rename(names: Names, operation: NameChange['operation'], file: DiskFile | null): void {
  const { kind, path } = operation;
  if (kind === 'created' || kind === 'made') names.set(path, file);
  else if (kind === 'unlinked' || kind === 'unmade') names.delete(path);
  else if (kind === 'linked') names.set(operation.to, file);
  else if (kind === 'renamed') {
    names.delete(path);
    names.set(operation.to, file);
    if (file === null) moveBelow(names, path, operation.to);
  }
}

function moveBelow(names: Names, from: string, to: string): void {
  for (const [path, file] of [...names]) {
    if (!path.startsWith(`${from}/`)) continue;
    names.delete(path);
    names.set(to + path.slice(from.length), file);
  }
}
