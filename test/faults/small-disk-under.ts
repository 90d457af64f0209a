// A node's data directory on a small file system for a while.

import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fillDisk, mountSmallDisk, unmount } from '../support/small-disk.ts';

const ROOM_MB = 16;

export class SmallDisk {
  private readonly data: string;
  private readonly place: string;

  private constructor(data: string, place: string) {
    this.data = data;
    this.place = place;
  }

  /** Why there is none here. */
  static missing(): string | undefined {
    const place = mountSmallDisk('1m');
    if (typeof place !== 'string') return place.reason;
    unmount(place);
    return undefined;
  }

  /** Throws where none can be mounted. @param data nobody has it open */
  static under(data: string): SmallDisk {
    const used = Number.parseInt(execFileSync('du', ['-sm', data], { encoding: 'utf8' }), 10);
    const place = mountSmallDisk(`${used + ROOM_MB}m`);
    if (typeof place !== 'string') throw new Error(place.reason);
    execFileSync('cp', ['-a', '--sparse=always', data, join(place, 'data')]);
    renameSync(data, `${data}-large`);
    symlinkSync(join(place, 'data'), data);
    return new SmallDisk(data, place);
  }

  fill(): void {
    fillDisk(this.ballast);
  }

  empty(): void {
    rmSync(this.ballast);
  }

  /** What is on it stays. */
  close(): void {
    rmSync(this.data);
    rmSync(`${this.data}-large`, { recursive: true });
    execFileSync('cp', ['-a', '--sparse=always', join(this.place, 'data'), this.data]);
    unmount(this.place);
  }

  private get ballast(): string {
    return join(this.place, 'ballast');
  }
}
