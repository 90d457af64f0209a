// Where the programs of threads are: built, for threads load no TypeScript.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A program of a thread, by the name of its file in the build (scripts/build.js). */
export type TaskName =
  | 'shard-task'
  | 'cluster-shard-task'
  | 'cluster-thread-task'
  | 'checkpoint-task'
  | 'move-task'
  | 'shared-location-task'
  | 'tls-relay-task';

/** The build, as seen from this module: in it, in what tests and benchmarks are made into (.build/test), in src. */
const BUILD = ['./', '../../dist/', '../../../dist/'];

export function taskFile(name: TaskName): string {
  const places = BUILD.map((folder) => fileURLToPath(new URL(`${folder}${name}.js`, import.meta.url)));
  return places.find((file) => existsSync(file)) ?? places[0];
}
