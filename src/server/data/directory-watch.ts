// Watches whether the data directory keeps its place. Files that have lost their names, or their mount, accept writes that the next
// start cannot read.

import { statSync } from 'node:fs';
import { every } from '../../transport/every.ts';
import type { Log } from '../process/log.ts';

const LOOK_MS = 2000;

export class DirectoryWatch {
  /** Whether another directory has the path, or none. */
  isGone = false;
  private readonly path: string;
  private readonly log: Log;
  private readonly place: string | undefined;
  private readonly timer: NodeJS.Timeout;

  /** @param path absolute path of the directory in use */
  constructor(path: string, log: Log) {
    this.path = path;
    this.log = log;
    this.place = placeOf(path);
    this.timer = every(
      LOOK_MS,
      () => this.look(),
      (error) => log('error', 'the data directory cannot be looked at', { error: error.message }),
    );
  }

  close(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const isGone = placeOf(this.path) !== this.place;
    if (isGone === this.isGone) return;
    this.isGone = isGone;
    if (isGone)
      this.log(
        'error',
        'the data directory was removed or replaced: what is registered from now on ends with this process',
        {
          data: this.path,
        },
      );
    else this.log('info', 'the data directory is in its place again', { data: this.path });
  }
}

/** Undefined where nothing has this name. Throws all other errors of the system. */
function placeOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}
