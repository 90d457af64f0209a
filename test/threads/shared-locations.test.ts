// The helper thread of the read model, in a program that has nothing else to do.

import { mkdirSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';

const PROGRAM = `
  import { SharedLocations } from './dist/threads/shared-location/shared-locations.js';
  import { DEFAULT_POLICY } from './dist/core/uas/policy.js';
  const [data] = process.argv.slice(1);
  const secret = new Uint8Array(32);
  const shared = new SharedLocations({ data, shards: 1, secret, policy: DEFAULT_POLICY, log: console.error });
  await shared.close();
  console.log('closed');
`;

afterAll(async () => {
  await killAll();
  removeDirectories();
});

it('closing it comes to its end where a program waits for nothing else', async () => {
  const data = temporaryDirectory();
  mkdirSync(data, { recursive: true });
  const { exit, stdout, stderr } = await run('node', ['--input-type=module', '-e', PROGRAM, data], 20_000);
  expect(exit.code, stderr).toBe(0);
  expect(stdout).toBe('closed\n');
});
