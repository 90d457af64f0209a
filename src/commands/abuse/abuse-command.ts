// `aorta abuse …`: lists the parties that abuse control of a running server limits, and releases one of them.

import type { Command } from 'commander';
import { AdminClient, type AdminOptions, withAdminOptions } from '../terminal/admin-client.ts';
import { reported } from '../terminal/command-action.ts';
import { examples } from '../terminal/help-text.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';
import { write } from '../ul/write.ts';

const EXAMPLES = `
A source that fails too often is ignored for a while; credentials of an account that is guessed at are put off.

Examples:
  aorta abuse ls
  aorta abuse forgive 192.0.2.7
      the office whose phones had an old password
  aorta abuse forgive alice@example.com
`;

/** A page of the list; more than one screen of limited parties is an attack, and is read with --json. */
const LIMIT = 1000;

interface Limited {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly leftSeconds: number;
  readonly successes: number;
  readonly shards: readonly number[];
}

export function addAbuseCommand(root: Command): void {
  const abuse = root
    .command('abuse')
    .copyInheritedSettings(root)
    .description('sources and accounts that a running server limits')
    .addHelpText('after', examples(EXAMPLES));
  const verb = (usage: string, description: string) =>
    withAdminOptions(abuse.command(usage).copyInheritedSettings(root).description(description))
      .allowExcessArguments(false)
      .addHelpText('after', examples(EXAMPLES));
  verb('ls', 'list those that are limited now').action(reported(list));
  verb('forgive <name>', 'let an address, a prefix or an account go').action(reported(forgive));
}

async function list(options: AdminOptions): Promise<void> {
  const { items } = await new AdminClient(options).get<{ items: Limited[] }>(`/v1/abuse?limit=${LIMIT}`);
  if (options.json) return write(`${JSON.stringify(items)}\n`);
  if (items.length === 0) return write('nobody is limited\n');
  const rows = items.map(({ kind, name, reason, leftSeconds, successes, shards }) => {
    return [kind, name, reason, `${leftSeconds} s`, String(successes), shards.join(',')];
  });
  const heads = ['kind', 'name', 'reason', 'left', 'successes', 'shards'];
  await write(
    await textTable([heads, ...rows], tableColumns(options), { spare: ['shards', 'successes'], whole: ['name'] }),
  );
}

async function forgive(name: string, options: AdminOptions): Promise<void> {
  const done = await new AdminClient(options).change('POST', '/v1/abuse/forgive', { name });
  await write(options.json ? `${JSON.stringify(done)}\n` : `${name} is let go\n`);
}
