// How long a node takes to join: it copies all bindings from another one, and follows.

import { readFileSync } from 'node:fs';
import { poll } from '../../test/support/child-process.ts';
import { Cluster, command } from '../../test/support/cluster.ts';
import { SipClient } from '../../test/support/sip-client.ts';
import { Generator } from '../load/generator.ts';
import type { Question } from '../question.ts';
import { grouped } from '../results.ts';
import { atMost, seen, targetTable } from '../rows.ts';
import { fill } from '../store/fill.ts';
import { closeNats, startNats } from './nats.ts';

const SHARDS = 2;
const TARGET_AORS = 10_000_000;
const TARGET_S = 60;
const EXPIRES_MS = 7_200_000;
const JOIN_MS = 600_000;

/** The streams have not the beginning: a node that joins needs copies. */
async function beLate(cluster: Cluster): Promise<void> {
  const client = await SipClient.open(cluster.nodes[0]);
  for (let n = 0; n < SHARDS * 8; n++) {
    const answer = await client.request(
      client.register({ aor: `late${n}@example.com`, contacts: ['<sip:l@127.0.0.1>'] }),
    );
    if (answer.status !== 200) throw new Error(answer.text);
  }
  client.close();
  await cluster.forgetOld();
}

async function hasAll(cluster: Cluster): Promise<void> {
  const { name } = cluster.files[1];
  await poll('all bindings on the node that joins', JOIN_MS, async () => {
    const { shards = [] } = (await cluster.status(0)) ?? {};
    const has = shards.filter(({ roles, behind }) => roles[name] === 'following' && behind[name] === 0);
    return has.length === SHARDS || undefined;
  });
}

export const CLUSTER_JOIN_QUESTION: Question = {
  name: 'cluster-join',
  asks: 'how long a node takes to have all bindings of a cluster',
  against: 'no',
  async run(settings) {
    const aors = settings.number('aors', 1_000_000, 2000);
    const generator = new Generator(settings.port, settings.clientCore, settings.signal);
    const nats = await startNats();
    try {
      const flags = () => ['--log-level', 'warn'];
      const cluster = await Cluster.prepare({ nodes: 2, shards: SHARDS, nats, flags, readyMs: 300_000 });
      const end = Date.now() + EXPIRES_MS;
      fill({
        ...{ data: cluster.files[0].data, shards: SHARDS, first: 1, aors },
        message: generator.message(),
        port: generator.localPort,
        expiresAt: (n) => end + (n % 3600) * 1000,
        progress: (done) => {
          if (done > 0 && done % 1_000_000 === 0) settings.tell(`${done} of ${aors} bindings written`);
        },
      });
      try {
        await cluster.launch(0);
        await cluster.settled(60_000);
        await beLate(cluster);
        const began = performance.now();
        await cluster.launch(1);
        await hasAll(cluster);
        const s = (performance.now() - began) / 1000;
        const { pid } = cluster.nodes[1].child;
        settings.tell(await command('cluster', 'verify', '--data', cluster.files[1].data));
        const peak = Number(/^VmHWM:\s+([0-9]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
        const target = `a node that joins ${grouped(aors)} bindings: follows after`;
        return [
          targetTable([
            aors < TARGET_AORS ? seen(target, [s], 1, 's') : atMost(target, [s], TARGET_S, 1, 's'),
            seen('its memory at most', [peak], 0, 'MB'),
          ]),
        ];
      } finally {
        await cluster.close();
      }
    } finally {
      await closeNats(nats);
    }
  },
};
