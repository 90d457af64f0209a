// What reaches the device below a directory: sectors that its driver has written, less what the machine writes anyway. The
// kernel's count per process (/proc/PID/io) is of whole page-cache folios made dirty, up to 2 MB for 32 bytes, and so no use.

import { readFileSync, statSync } from 'node:fs';
import { Missing } from '../question.ts';

const SECTOR_BYTES = 512;
const BASELINE_MS = 2000;

/** The `stat` file of the device that the directory lies on. Throws Missing where it lies on none (tmpfs, overlay). */
function statFile(directory: string): string {
  const { dev } = statSync(directory);
  // glibc's makedev: 12 bits of minor in two places, 12 of major between them.
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  const file = `/sys/dev/block/${major}:${minor}/stat`;
  if (statSync(file, { throwIfNoEntry: false }) === undefined)
    throw new Missing(`${directory} lies on no block device of its own (--data DIR chooses another)`);
  return file;
}

function bytesWritten(file: string): number {
  return Number(readFileSync(file, 'latin1').trim().split(/\s+/)[6]) * SECTOR_BYTES;
}

export class DeviceBytes {
  private readonly file: string;
  private idlePerMs = 0;

  constructor(directory: string) {
    this.file = statFile(directory);
  }

  /** Looks at what is written while nothing is asked of the server. */
  async baseline(ms = BASELINE_MS): Promise<void> {
    const before = bytesWritten(this.file);
    const began = performance.now();
    await new Promise((done) => setTimeout(done, ms));
    this.idlePerMs = (bytesWritten(this.file) - before) / (performance.now() - began);
  }

  /** Bytes written while `work` ran, beyond the baseline. */
  async during<T>(work: () => T | Promise<T>): Promise<{ readonly bytes: number; readonly result: T }> {
    const before = bytesWritten(this.file);
    const began = performance.now();
    const result = await work();
    const idle = this.idlePerMs * (performance.now() - began);
    return { bytes: Math.max(0, bytesWritten(this.file) - before - idle), result };
  }
}
