// The helper thread of the read model, in a program that has nothing else to do.

import { mkdirSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { bundle } from '../support/bundle.ts';
import { killAll, run } from '../support/child-process.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

it('closing it comes to its end where a program waits for nothing else', async () => {
  const data = temporaryDirectory();
  mkdirSync(data, { recursive: true });
  const program = await bundle('test/threads/shared-locations-program.ts');
  const { exit, stdout, stderr } = await run('node', [program, data], 20_000);
  expect(exit.code, stderr).toBe(0);
  expect(stdout).toBe('closed\n');
});
