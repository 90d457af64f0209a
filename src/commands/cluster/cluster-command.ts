// `aorta cluster …`: its verbs and their flags. The files beside this one run them.

import type { Command } from 'commander';
import { withAdminOptions } from '../terminal/admin-client.ts';
import { later } from '../terminal/command-action.ts';
import { examples } from '../terminal/help-text.ts';

const EXAMPLES = `
A cluster is several servers that keep the same bindings in NATS JetStream: docs/cluster.md tells how to set one up.
init and join need the configuration file; the other commands ask a running node by its admin listener.

Examples:
  aorta cluster demo
      three nodes and three NATS servers on this machine; kills one and shows what becomes of a registration
  aorta cluster init --config aorta.yaml
      makes the streams, and a token for the other nodes
  aorta cluster join --config aorta.yaml --token cluster-token
  aorta cluster status --data /var/lib/aorta
  aorta cluster status --watch --admin http://10.0.0.11:8060 --token-file token
  aorta cluster drain --data /var/lib/aorta && systemctl restart aorta
      its shards go to other nodes before it stops
  aorta cluster balance --data /var/lib/aorta
  aorta cluster take 3 --data /var/lib/aorta
  aorta cluster reseed 3 --data /var/lib/aorta
      copies the shard anew from another node
  aorta cluster verify --data /var/lib/aorta
  aorta cluster leave old-node --data /var/lib/aorta
`;

type Verbs = typeof import('./cluster-verbs.ts');

/** Adds the command `cluster` to the root. */
export function addClusterCommand(root: Command): void {
  const cluster = root
    .command('cluster')
    .copyInheritedSettings(root)
    .description('several servers with the same bindings');
  cluster.addHelpText('after', examples(EXAMPLES));
  const verb = (usage: string, about: string): Command =>
    cluster
      .command(usage)
      .copyInheritedSettings(root)
      .description(about)
      .allowExcessArguments(false)
      .addHelpText('after', examples(EXAMPLES));
  const asking = (usage: string, about: string, pick: (verbs: Verbs) => (...args: never[]) => Promise<void>): Command =>
    withAdminOptions(verb(usage, about)).action(later(async () => pick(await import('./cluster-verbs.ts')) as never));

  verb('init', 'make the streams of a new cluster, and the token that nodes join with')
    .requiredOption('--config <file>', 'configuration of the first node')
    .option('--shards <n>', 'number of shards, for good (default: 12, or those of the data directory)')
    .option('--token-file <file>', 'where the token goes (default: cluster-token in the data directory)')
    .action(later(async () => (await import('./cluster-setup.ts')).initCluster));
  verb('join', 'make the data directory of another node')
    .requiredOption('--config <file>', 'configuration of the node')
    .requiredOption('--token <file>', 'the token of "aorta cluster init"; - reads it from standard input')
    .action(later(async () => (await import('./cluster-setup.ts')).joinCluster));
  asking('status', 'nodes, shards and their owners', ({ showStatus }) => showStatus).option(
    '--watch',
    'again and again',
  );
  asking('drain', 'hand all shards of the node to others, and claim none', ({ drainNode }) => drainNode).option(
    '--off',
    'let it own shards again',
  );
  asking('balance', 'bring each shard home, one after the other', ({ balance }) => balance);
  asking('take <shard>', 'have the node own a shard', ({ takeShard }) => takeShard);
  asking('leave <node>', 'forget a node that is gone for good', ({ leaveCluster }) => leaveCluster);
  asking(
    'reseed <shard>',
    "throw the node's copy of a shard away and copy it anew from another node; all: of every shard that it does not own; " +
      'meta: make the stream of users, static bindings and the record anew, where it is gone',
    ({ reseedShards }) => reseedShards,
  ).option('--stream', 'make the stream of the shard anew instead, behind what the node with most of it has');
  asking('verify', 'compare the bindings of all nodes', ({ verifyCluster }) => verifyCluster);
  verb('demo', 'three nodes and three NATS servers on this machine, to look at')
    .option('--nats-server <file>', 'the program (default: nats-server of the PATH)')
    .option('--keep', 'keep the directory with all data')
    .action(later(async () => (await import('./cluster-demo.ts')).runDemo));
}
