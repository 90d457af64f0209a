// A disk in memory for small files: calls fail where a test says, and a power cut leaves any part of what was not synced.

import type { FileCalls } from '../../src/location/files/file-calls.ts';

interface Inode {
  number: number;
  bytes: Buffer;
  synced: Buffer;
}

/** What a call does instead: throws an error with this code, or writes at most so many bytes. */
export type Fault = 'ENOSPC' | 'EIO' | 'EMFILE' | 'short' | 'cut' | undefined;

/** The power is gone: nothing reaches the disk any more. */
export class PowerCut extends Error {}

export class SimulatedFiles implements FileCalls {
  /** Asked before each call that changes something, by its name and number. */
  fault: (call: string, number: number) => Fault = () => undefined;
  calls = 0;
  /** Open descriptors; a leak shows. */
  readonly open = new Map<number, Inode>();
  private names = new Map<string, Inode>();
  private syncedNames = new Map<string, Inode>();
  private inodes = 0;

  create(path: string): number {
    this.meet('create');
    const inode = { number: ++this.inodes, bytes: Buffer.alloc(0), synced: Buffer.alloc(0) };
    this.names.set(path, inode);
    const fd = 100 + inode.number;
    this.open.set(fd, inode);
    return fd;
  }

  write(fd: number, bytes: Uint8Array, offset: number, length: number): number {
    const short = this.meet('write') === 'short';
    const inode = this.inodeOf(fd);
    const count = short ? Math.ceil(length / 3) : length;
    inode.bytes = Buffer.concat([inode.bytes, bytes.subarray(offset, offset + count)]);
    return count;
  }

  sync(fd: number): void {
    this.meet('sync');
    const inode = this.inodeOf(fd);
    inode.synced = inode.bytes;
  }

  close(fd: number): void {
    this.open.delete(fd);
  }

  rename(from: string, to: string): void {
    this.meet('rename');
    const inode = this.names.get(from);
    if (inode === undefined) throw failure('ENOENT');
    this.names.delete(from);
    this.names.set(to, inode);
  }

  remove(path: string): void {
    this.meet('remove');
    this.names.delete(path);
  }

  exists(path: string): boolean {
    return this.names.has(path);
  }

  read(path: string): Buffer {
    const inode = this.names.get(path);
    if (inode === undefined) throw failure('ENOENT');
    return inode.bytes;
  }

  mark(path: string): string {
    return String(this.names.get(path)?.number ?? '');
  }

  syncDirectory(): void {
    this.meet('syncDirectory');
    this.syncedNames = new Map(this.names);
  }

  put(path: string, content: string | Buffer): void {
    const bytes = Buffer.from(content);
    this.names.set(path, { number: ++this.inodes, bytes, synced: bytes });
    this.syncedNames = new Map(this.names);
  }

  /** The disk as it may be found after a power cut: each change of a name that was not synced is there or not, each file as far as `random` says. */
  afterCut(random: () => number): SimulatedFiles {
    const found = new SimulatedFiles();
    for (const path of new Set([...this.names.keys(), ...this.syncedNames.keys()])) {
      const inode = (random() < 0.5 ? this.names : this.syncedNames).get(path);
      if (inode === undefined) continue;
      const { bytes, synced } = inode;
      const length = bytes === synced ? bytes.length : Math.floor(random() * (bytes.length + 1));
      found.put(path, bytes === synced || random() < 0.3 ? synced : bytes.subarray(0, length));
    }
    return found;
  }

  private meet(call: string): Fault {
    const fault = this.fault(call, this.calls++);
    if (fault === 'cut') throw new PowerCut();
    if (fault !== undefined && fault !== 'short') throw failure(fault);
    return fault;
  }

  private inodeOf(fd: number): Inode {
    const inode = this.open.get(fd);
    if (inode === undefined) throw failure('EBADF');
    return inode;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
