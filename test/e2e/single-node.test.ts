// A server without `cluster:` is what it was: nothing of clusters or NATS is loaded by any of its threads.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { builtSources } from '../support/built-sources.ts';
import { killAll } from '../support/child-process.ts';
import { SipClient } from '../support/sip-client.ts';

afterAll(killAll);
afterAll(removeDirectories);

/** Sources of what the threads of a process loaded, as V8 lists it when it ends. */
function loaded(folder: string): string[] {
  const reports = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
  const urls = (reports as { result: { url: string }[] }[]).flatMap(({ result }) => result.map(({ url }) => url));
  return [...new Set(urls)].filter((url) => url.startsWith('file:')).flatMap(builtSources);
}

it('loads no module of clusters or NATS in any thread', async () => {
  const folder = temporaryDirectory();
  const aorta = await Aorta.start({
    under: ['env', `NODE_V8_COVERAGE=${folder}`],
    shards: 1,
    flags: ['--admin', 'http:127.0.0.1:0'],
  });
  const phone = await SipClient.open(aorta);
  const answer = await phone.request(phone.register({ contacts: [`<sip:alice@127.0.0.1:${phone.port}>`] }));
  expect(answer.status).toBe(200);
  phone.close();
  await aorta.stop();
  const files = loaded(folder);
  expect(files).toEqual(expect.arrayContaining(['src/server/server.ts', 'src/threads/shard-task.ts']));
  // The verbs of a command, and the keys of a section, are known without one.
  const ofClusters = files.filter((file) => /cluster|nats/i.test(file.slice(file.lastIndexOf('/node_modules/') + 1)));
  expect(ofClusters.filter((file) => !/\/cluster-(command|rows|config)\.ts$/.test(file))).toEqual([]);
});
