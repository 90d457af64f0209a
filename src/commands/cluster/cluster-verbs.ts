// `aorta cluster status`, `drain`, `balance`, `take` and `leave`: what they ask a running node, and what they print.

import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterStatus } from '../../server/cluster/cluster-status.ts';
import { print } from '../../server/process/terminal.ts';
import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { EXIT_USAGE } from '../terminal/exit-codes.ts';
import { textTable } from '../terminal/text-table.ts';

const PATH = '/v1/cluster';
const WATCH_MS = 1000;
const DRAIN_LOOK_MS = 200;
const DRAIN_MS = 30_000;

export const showStatus = reported(async (options: AdminOptions & { readonly watch?: boolean }) => {
  const client = new AdminClient(options);
  for (;;) {
    const status = await client.get<ClusterStatus>(PATH);
    const text = options.json ? `${JSON.stringify(status)}\n` : statusText(status);
    print(options.watch && !options.json ? `\x1b[H\x1b[2J${text}` : text);
    if (!options.watch) return;
    await delay(WATCH_MS);
  }
});

export const drainNode = reported(async (options: AdminOptions & { readonly off?: boolean }) => {
  const client = new AdminClient(options);
  const draining = options.off !== true;
  await client.change('POST', `${PATH}/drain`, { draining });
  let status = await client.get<ClusterStatus>(PATH);
  for (let waited = 0; draining && owned(status) > 0; waited += DRAIN_LOOK_MS) {
    if (waited >= DRAIN_MS)
      throw new CommandError(`node ${status.node} still owns ${owned(status)} shards: is another node alive?`);
    await delay(DRAIN_LOOK_MS);
    status = await client.get<ClusterStatus>(PATH);
  }
  tell(
    options,
    status,
    draining ? `node ${status.node} owns no shard, and claims none` : `node ${status.node} may own shards`,
  );
});

export const balance = reported(async (options: AdminOptions) => {
  const client = new AdminClient(options);
  const done = await client.change<{ moved: number }>('POST', `${PATH}/balance`);
  tell(options, done, `${done?.moved ?? 0} shards went home`);
});

export const takeShard = reported(async (shard: string, options: AdminOptions) => {
  if (!/^\d{1,4}$/.test(shard)) throw new CommandError(`expected the number of a shard, got ${shard}`, EXIT_USAGE);
  const client = new AdminClient(options);
  const status = await client.change<ClusterStatus>('POST', `${PATH}/shards/${shard}/take`);
  tell(options, status, `shard ${shard} is ${status?.node ?? 'this node'}'s`);
});

export const leaveCluster = reported(async (node: string, options: AdminOptions) => {
  const client = new AdminClient(options);
  await client.change('DELETE', `${PATH}/nodes/${encodeURIComponent(node)}`);
  tell(options, { node }, `node ${node} is forgotten`);
});

function tell(options: AdminOptions, value: unknown, text: string): void {
  print(options.json ? `${JSON.stringify(value)}\n` : `${text}\n`);
}

function owned({ node, nodes }: ClusterStatus): number {
  return nodes.find(({ name }) => name === node)?.owns ?? 0;
}

function statusText({ cluster, node, connected, nodes, shards }: ClusterStatus): string {
  const names = nodes.map(({ name }) => name);
  const nodeRows = nodes.map(({ name, listen, alive, draining, owns, behind, clockAheadMs, policyDiffers }) => [
    name === node ? `${name} *` : name,
    listen,
    alive ? (draining ? 'draining' : 'alive') : 'silent',
    String(owns),
    String(behind),
    `${(clockAheadMs / 1000).toFixed(1)}s`,
    policyDiffers ? 'differs' : '',
  ]);
  const shardRows = shards.map(({ shard, owner, epoch, sequence, roles, behind, leader }) => [
    String(shard),
    owner ?? 'nobody',
    String(epoch),
    String(sequence),
    leader ?? '?',
    ...names.map((name) =>
      roles[name] === undefined ? '-' : `${roles[name]} ${behind[name] > 0 ? `-${behind[name]}` : ''}`.trim(),
    ),
  ]);
  return [
    `cluster ${cluster}, seen by ${node}${connected ? '' : ', which reaches no NATS server'}\n\n`,
    textTable([['NODE', 'ADDRESS', 'STATE', 'OWNS', 'BEHIND', 'CLOCK', 'POLICY'], ...nodeRows]),
    '\n',
    textTable([['SHARD', 'OWNER', 'EPOCH', 'SEQUENCE', 'LEADER', ...names], ...shardRows]),
  ].join('');
}
