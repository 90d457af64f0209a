// Files of the threads' programs: built ones, because threads load no TypeScript.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A thread's program, by the name of its file in the build (scripts/build.js). */
export type TaskName =
  | 'shard-task'
  | 'cluster-shard-task'
  | 'cluster-thread-task'
  | 'checkpoint-task'
  | 'move-task'
  | 'shared-location-task'
  | 'tls-relay-task';

/** The build folder, relative to this module: in the build, in the output of tests and benchmarks (.build/test), in src. */
const BUILD = ['./', '../../dist/', '../../../dist/'];

export function taskFile(name: TaskName): string {
  const places = BUILD.map((folder) => fileURLToPath(new URL(`${folder}${name}.js`, import.meta.url)));
  return places.find((file) => existsSync(file)) ?? places[0];
}
