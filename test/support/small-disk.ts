// A small file system of its own, and no room on it.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory with a file system of its own, or why there is none. @param size as mount's, such as 48m */
export function mountSmallDisk(size: string): string | { readonly reason: string } {
  const place = mkdtempSync(join(tmpdir(), 'aorta-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'aorta-full', place], { stdio: 'pipe' });
    return place;
  } catch (error) {
    rmdirSync(place);
    return { reason: `no small file system can be mounted here (root on Linux can): ${String(error).split('\n')[0]}` };
  }
}

export function unmount(place: string): void {
  execFileSync('umount', ['-l', place]);
  rmdirSync(place);
}

/** Takes all room but for a few kilobytes that nobody can count on. */
export function fillDisk(ballast: string): void {
  const fd = openSync(ballast, 'w');
  try {
    for (let chunk = Buffer.alloc(1 << 20); chunk.length >= 512; ) {
      try {
        if (writeSync(fd, chunk) < chunk.length) throw Object.assign(new Error('short'), { code: 'ENOSPC' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        chunk = Buffer.alloc(chunk.length >> 1);
      }
    }
  } finally {
    closeSync(fd);
  }
}
