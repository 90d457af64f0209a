// Credentials for NATS that are wrong at a start, or change while a node runs: what a node that has been of its cluster says and does, and
// that no new start is needed once they are right.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { Cluster } from '../support/cluster.ts';
import { NatsServers, natsMissing } from '../support/nats-servers.ts';
import { SipClient } from '../support/sip-client.ts';

const SHARDS = 2;
const START_MS = 30_000;

describe.skipIf(natsMissing())('credentials for NATS', () => {
  const file = join(temporaryDirectory(), 'nats');
  let nats: NatsServers;
  let cluster: Cluster;

  beforeAll(async () => {
    writeFileSync(file, 'aorta:first');
    nats = await NatsServers.start({ more: 'authorization { users: [ { user: aorta, password: "first" } ] }\n' });
    cluster = await Cluster.start({ nats, nodes: 1, shards: SHARDS, more: `    credentials: ${file}\n` });
  }, 120_000);
  afterAll(async () => {
    await cluster?.close();
    await nats?.close();
    await killAll();
    removeDirectories();
  });

  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${cluster.files[0].admin}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  const ready = () =>
    poll('a node that is ready', 40_000, async () => (await get('/readyz')).startsWith('200') || undefined);
  const registered = async (user: string) => {
    const client = await SipClient.open(cluster.nodes[0]);
    const asked = client.register({ aor: `${user}@example.com`, contacts: ['<sip:x@127.0.0.1:5998>'] });
    const { status } = await client.request(asked, 20_000);
    client.close();
    return status;
  };

  it('that are wrong keep a node out with an error that names the file, lookups go on, and right ones let it in', async () => {
    expect(await registered('before')).toBe(200);
    await cluster.nodes[0].stop();
    writeFileSync(file, 'aorta:wrong');
    await cluster.launch(0);
    const refused = new RegExp(
      `the NATS servers refuse this node's login .*: Authorization Violation: correct ${file}`,
      'i',
    );
    expect(await get('/readyz')).toMatch(/^503 .*this node is not of its cluster yet/);
    expect(await get('/readyz')).toMatch(refused);
    const line = cluster.nodes[0].stderr.split('\n').find((each) => /REGISTERs draw 503/.test(each));
    expect(line).toMatch(refused);
    expect(line).toMatch(/"level":"error"/);
    expect([...(await cluster.dump(0)).keys()]).toEqual(['before@example.com']);
    writeFileSync(file, 'aorta:first');
    await ready();
    expect(await registered('after')).toBe(200);
  }, 90_000);

  it('that are wrong end the first start of a node', async () => {
    const [{ config }] = cluster.files;
    writeFileSync(file, 'aorta:wrong');
    const done = await run(process.execPath, [CLI, 'cluster', 'init', '--config', config], START_MS);
    writeFileSync(file, 'aorta:first');
    expect([done.exit.code, done.stderr]).toEqual([1, expect.stringMatching(/refuse this node's login .*: correct /)]);
  }, 60_000);

  it('are changed on the servers one after the other, and in the file, while a node runs', async () => {
    for (const server of [0, 1, 2]) {
      if (server === 1) writeFileSync(file, 'aorta:second');
      await nats.reconfigure(server, '"first"', '"second"');
    }
    await ready();
    for (let n = 0; n < 8; n++) expect(await registered(`changed${n}`)).toBe(200);
    expect((await cluster.status(0))?.connected).toBe(true);
  }, 120_000);
});
