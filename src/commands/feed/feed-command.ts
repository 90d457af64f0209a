// `aorta feed`: progress of webhooks and NATS with their changes.

import type { Command } from 'commander';
import { print } from '../../server/process/terminal.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from '../terminal/admin-client.ts';
import { reported } from '../terminal/command-action.ts';
import { examples } from '../terminal/help-text.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';

const EXAMPLES = `
Examples:
  aorta feed
  aorta feed --json
`;

interface FeedState {
  readonly newest: number;
  readonly deliveries: readonly {
    readonly to: string;
    readonly state: string;
    readonly sequence: number;
    readonly lagSeconds: number;
    readonly retries: number;
    readonly delivered: number;
    readonly gaps: number;
  }[];
}

export function addFeedCommand(root: Command): void {
  withAdminOptions(
    root
      .command('feed')
      .copyInheritedSettings(root)
      .description('how far webhooks and NATS are with the changes that they are sent'),
  )
    .addHelpText('after', examples(EXAMPLES))
    .action(reported(feed));
}

async function feed(options: AdminOptions): Promise<void> {
  const found = await new AdminClient(options).get<FeedState>('/v1/feed');
  if (options.json) return void print(`${JSON.stringify(found)}\n`);
  const rows = found.deliveries.map(({ to, state, sequence, lagSeconds, retries, delivered, gaps }) => [
    to,
    state,
    String(sequence),
    `${lagSeconds.toFixed(1)}s`,
    ...[retries, delivered, gaps].map(String),
  ]);
  print(`newest change: ${found.newest}\n`);
  if (rows.length === 0) return void print('sent nowhere: "feed" has neither "webhook" nor "nats"\n');
  const head = ['to', 'state', 'last number', 'lag', 'retries', 'delivered', 'gaps'];
  print(await textTable([head, ...rows], tableColumns(options)));
}
