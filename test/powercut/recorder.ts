// Compiles recorder.c, once for each of its contents.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../support/child-process.ts';

/** Why there is no recorder on this machine; undefined: there is one. */
export function recorderMissing(): string | undefined {
  if (process.platform !== 'linux') return 'power cuts are recorded by a preloaded library, on Linux alone';
  return which('cc') === undefined ? 'cc is not installed (Debian packages gcc and libc6-dev)' : undefined;
}

/** @param root of the project @returns the library to preload */
export function compileRecorder(root: string): string {
  const source = join(root, 'test', 'powercut', 'recorder.c');
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const folder = join(root, '.build', 'test');
  const library = join(folder, `recorder-${digest}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  const next = `${library}.${process.pid}`;
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', next, source, '-ldl', '-lpthread'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cc cannot compile ${source}:\n${stderr}`);
  renameSync(next, library);
  return library;
}
