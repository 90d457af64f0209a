// `aorta top`: a running server at a glance.

import type { Command } from 'commander';
import { withAdminOptions } from './terminal/admin-client.ts';
import { later, reported } from './terminal/command-action.ts';
import { TOP_KEYS } from './top/top-keys.ts';

export function addTopCommand(root: Command): void {
  withAdminOptions(root.command('top').copyInheritedSettings(root).description('live view of a running server'))
    .option('--interval <s>', 'seconds between two looks', '1')
    .option('--count <n>', 'print so many looks one below the other, and end')
    .addHelpText('after', `\nKeys on a terminal:\n${TOP_KEYS}`)
    .action(reported(later(async () => (await import('./top/top.ts')).top)));
}
