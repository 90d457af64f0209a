// `aorta cluster status`, `drain`, `balance`, `take`, `leave`, `reseed` and `verify`: their requests to a running node, and their
// output.

import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterStatus } from '../../server/cluster/cluster-status.ts';
import type { CopyReport } from '../../server/cluster/exchange/shard-copies.ts';
import type { ShardComparison } from '../../server/cluster/exchange/verify.ts';
import { sizeText } from '../../server/process/size-text.ts';
import { print } from '../../server/process/terminal.ts';
import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { EXIT_USAGE } from '../terminal/exit-codes.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';

const PATH = '/v1/cluster';
const WATCH_MS = 1000;
const DRAIN_LOOK_MS = 200;
const DRAIN_MS = 30_000;

export const showStatus = reported(async (options: AdminOptions & { readonly watch?: boolean }) => {
  const client = new AdminClient(options);
  for (;;) {
    const status = await client.get<ClusterStatus>(PATH);
    const text = options.json ? `${JSON.stringify(status)}\n` : await statusText(status, tableColumns(options));
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
  const isDone = () => asked(status)?.draining === draining && (!draining || owned(status) === 0);
  for (let waited = 0; !isDone(); waited += DRAIN_LOOK_MS) {
    if (waited >= DRAIN_MS)
      throw new CommandError(
        `node ${status.node} still owns ${counted(owned(status), 'shard')}: is another node alive?`,
      );
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
  tell(options, done, `${counted(done?.moved ?? 0, 'shard')} went home`);
});

export const takeShard = reported(async (shard: string, options: AdminOptions) => {
  const number = shardNumber(shard);
  const client = new AdminClient(options);
  const status = await client.change<ClusterStatus>('POST', `${PATH}/shards/${number}/take`);
  tell(options, status, `shard ${shard} is ${status?.node ?? 'this node'}'s`);
});

export const leaveCluster = reported(async (node: string, options: AdminOptions) => {
  const client = new AdminClient(options);
  await client.change('DELETE', `${PATH}/nodes/${encodeURIComponent(node)}`);
  tell(options, { node }, `node ${node} is forgotten`);
});

export const reseedShards = reported(async (which: string, options: AdminOptions & { readonly stream?: boolean }) => {
  const client = new AdminClient(options);
  if (which === 'meta') return remakeMeta(client, options);
  if (options.stream === true) return remakeStream(client, shardNumber(which), options);
  const status = await client.get<ClusterStatus>(PATH);
  const numbers = which === 'all' ? status.shards.map(({ shard }) => shard) : [shardNumber(which)];
  const done = [];
  for (const shard of numbers) {
    if (which === 'all' && status.shards[shard].owner === status.node) continue;
    const report = await client.change<CopyReport>('POST', `${PATH}/shards/${shard}/reseed`);
    if (report === undefined) continue;
    done.push(report);
    if (!options.json) print(`shard ${shard}: ${sizeText(report.bytes)} from node ${report.from}\n`);
  }
  if (options.json) print(`${JSON.stringify({ shards: done })}\n`);
});

async function remakeStream(client: AdminClient, shard: number, options: AdminOptions): Promise<void> {
  const done = await client.change<{ sequence: number }>('POST', `${PATH}/shards/${shard}/stream`);
  tell(options, done, `the stream of shard ${shard} goes on behind message ${done?.sequence}`);
}

async function remakeMeta(client: AdminClient, options: AdminOptions): Promise<void> {
  const done = await client.change<{ nodes: string[] }>('POST', `${PATH}/meta`);
  tell(options, done, `the META stream is there again, with the record of nodes ${done?.nodes.join(', ')}`);
}

export const verifyCluster = reported(async (options: AdminOptions) => {
  const client = new AdminClient(options);
  const { shards = [] } = (await client.change<{ shards: ShardComparison[] }>('POST', `${PATH}/verify`)) ?? {};
  const wrong = shards.flatMap(({ shard, nodes }) =>
    nodes.flatMap(({ node, differ, problem }) => {
      if (differ === 0) return [];
      return [
        differ < 0 ? `shard ${shard}: ${problem}` : `shard ${shard}: node ${node} differs in ${differ} groups of rows`,
      ];
    }),
  );
  const records = shards.reduce((sum, shard) => sum + shard.records, 0);
  const nodes = Math.max(0, ...shards.map((shard) => shard.nodes.length));
  const status = await client.get<ClusterStatus>(PATH);
  const silent = status.nodes.filter(({ alive }) => !alive).map(({ name }) => name);
  const left = silent.length === 0 ? '' : `; not compared, since silent: ${silent.join(', ')}`;
  const text = `${records} AORs in ${shards.length} shards, the same on this node and ${counted(nodes, 'other')}${left}`;
  if (options.json) print(`${JSON.stringify({ equal: wrong.length === 0, shards, silent })}\n`);
  else if (wrong.length === 0) print(`${text}\n`);
  if (wrong.length > 0) throw new CommandError(wrong.join('\naorta: '));
});

function shardNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new CommandError(`expected the number of a shard, got ${text}`, EXIT_USAGE);
  return Number(text);
}

/** `1 shard`, `2 shards`. */
function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function tell(options: AdminOptions, value: unknown, text: string): void {
  print(options.json ? `${JSON.stringify(value)}\n` : `${text}\n`);
}

/** The node that answered. */
function asked({ node, nodes }: ClusterStatus): ClusterStatus['nodes'][number] | undefined {
  return nodes.find(({ name }) => name === node);
}

function owned(status: ClusterStatus): number {
  return asked(status)?.owns ?? 0;
}

async function statusText(
  { cluster, node, connected, nodes, shards, faults }: ClusterStatus,
  columns: number,
): Promise<string> {
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
    await textTable([['NODE', 'ADDRESS', 'STATE', 'OWNS', 'BEHIND', 'CLOCK', 'POLICY'], ...nodeRows], columns),
    '\n',
    await textTable([['SHARD', 'OWNER', 'EPOCH', 'SEQUENCE', 'LEADER', ...names], ...shardRows], columns),
    ...faults.map(({ problem }) => `\n${problem}\n`),
  ].join('');
}
