// Takes all descriptors, then gives one after the other back until something can be opened: prints what was said until then, and how
// many descriptors stay open once it is closed again.

import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { createEnvironment, openEnvironment } from '../../src/location/shared/shared-location-files.ts';
import { openUserDatabase } from '../../src/users/user-environment.ts';
import { UserStore } from '../../src/users/user-store.ts';

const [what, data] = process.argv.slice(2);
const OPEN: Record<string, () => { close(): unknown }> = {
  'user-store': () => UserStore.open(data),
  'user-reader': () => openUserDatabase(data, 'read'),
  'model-writer': () => createEnvironment(data, 7),
  'model-reader': () => openEnvironment(data, 1),
};

function attempt(): { close(): unknown } | string {
  try {
    return OPEN[what]();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const before = readdirSync('/proc/self/fd').length;
const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  // all of them
}
const refused: string[] = [];
let opened = attempt();
for (; typeof opened === 'string' && taken.length > 0; opened = attempt()) {
  refused.push(opened);
  closeSync(taken.pop() ?? -1);
}
if (typeof opened !== 'string') await opened.close();
for (const fd of taken) closeSync(fd);
const left = readdirSync('/proc/self/fd').length - before;
writeSync(1, JSON.stringify({ refused, opened: typeof opened !== 'string', left }));
process.exit(0);
