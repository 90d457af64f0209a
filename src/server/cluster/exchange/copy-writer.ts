// Writes a copy of a shard's store into a folder beside the shard's own; it is on disk before it counts.

import { mkdirSync, rmSync } from 'node:fs';
import { type FileHandle, mkdir, open, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { finishCopy, unfinishedCopy } from '../../../location/files/ready-copy.ts';
import { sizeText } from '../../process/size-text.ts';
import { ClusterError } from '../cluster-error.ts';
import type { CopiedFile, CopySink } from './copy-format.ts';

/** Bytes left free on the disk. */
const ROOM_BYTES = 64 << 20;

export class CopyWriter implements CopySink {
  bytes = 0;
  private readonly directory: string;
  private readonly folder: string;
  private handle: FileHandle | undefined;
  private position = 0;

  /** @param directory of the shard's store */
  constructor(directory: string) {
    this.directory = directory;
    this.folder = unfinishedCopy(directory);
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(join(this.folder, 'log'), { recursive: true, mode: 0o700 });
  }

  async begin(files: readonly CopiedFile[]): Promise<void> {
    const needed = files.reduce((sum, { length }) => sum + length, ROOM_BYTES);
    const { bavail, bsize } = await statfs(this.folder);
    if (bavail * bsize < needed) throw new ClusterError(`the disk has no room for it: it needs ${sizeText(needed)}`);
  }

  async file(name: string): Promise<void> {
    await this.end();
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    this.handle = await open(path, 'wx', 0o600);
    this.position = 0;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten = 0 } = (await this.handle?.write(bytes, done, bytes.length - done, this.position)) ?? {};
      if (bytesWritten === 0) throw new ClusterError('the disk takes nothing');
      done += bytesWritten;
      this.position += bytesWritten;
      this.bytes += bytesWritten;
    }
  }

  /** Resolves when the whole copy is on disk. */
  async sync(): Promise<void> {
    await this.end();
    for (const path of [join(this.folder, 'log'), this.folder]) {
      const handle = await open(path, 'r');
      await handle.sync();
      await handle.close();
    }
  }

  /** The shard's next life uses the copy. */
  finish(): void {
    finishCopy(this.directory);
  }

  async abandon(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close().catch(() => {});
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.sync();
    await handle?.close();
  }
}
