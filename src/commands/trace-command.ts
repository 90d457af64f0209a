// `aorta trace …`: every message of an AOR or from an address, as they pass or in the log of a running server.

import type { Command } from 'commander';
import { print } from '../server/process/terminal.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from './terminal/admin-client.ts';
import { later, reported } from './terminal/command-action.ts';
import { examples } from './terminal/help-text.ts';
import { secondsOf } from './terminal/seconds.ts';

const EXAMPLES = `
"follow" shows messages as they pass: as a ladder on a terminal, as text or JSON elsewhere, and with --pcap in a file for Wireshark.
"on" writes them into the server's log (events "trace: request" and "trace: answer"), and sends them to HOMER where the configuration
has a section "hep". Credentials are left out everywhere.

Examples:
  aorta trace follow alice@example.com
  aorta trace follow 192.0.2.17 --pcap phone.pcap
  aorta trace on alice@example.com --seconds 600
  aorta trace on 192.0.2.17
  aorta trace ls
  aorta trace off alice@example.com
`;

interface Trace {
  readonly name: string;
  readonly until: string;
}

export function addTraceCommand(root: Command): void {
  const trace = root
    .command('trace')
    .copyInheritedSettings(root)
    .description('messages of a phone, as they pass or in the log');
  trace.addHelpText('after', examples(EXAMPLES));
  const verb = (usage: string, description: string) =>
    withAdminOptions(trace.command(usage).copyInheritedSettings(root).description(description)).addHelpText(
      'after',
      examples(EXAMPLES),
    );
  verb('follow <aor-or-address>', 'show every message of an AOR or from an IP address as it passes')
    .option('--pcap <file>', 'write them to this file, too')
    .option('--count <n>', 'end after so many messages')
    .action(reported(later(async () => (await import('./trace/follow.ts')).follow)));
  verb('on <aor-or-address>', 'log every message of an AOR or from an IP address')
    .option('--seconds <s>', 'for so long: seconds, or 10m, 1h', '300')
    .action(reported(on));
  verb('off <aor-or-address>', 'end it').action(reported(off));
  verb('ls', 'what is traced, and until when').action(reported(list));
}

async function on(name: string, options: AdminOptions & { seconds: string }): Promise<void> {
  const path = `/v1/traces/${encodeURIComponent(name)}`;
  const trace = await new AdminClient(options).change<Trace>('PUT', path, {
    seconds: secondsOf('--seconds', options.seconds),
  });
  if (trace !== undefined) tell([trace], options);
}

async function off(name: string, options: AdminOptions): Promise<void> {
  await new AdminClient(options).change('DELETE', `/v1/traces/${encodeURIComponent(name)}`);
}

async function list(options: AdminOptions): Promise<void> {
  tell((await new AdminClient(options).get<{ items: Trace[] }>('/v1/traces')).items, options);
}

function tell(traces: readonly Trace[], { json }: AdminOptions): void {
  for (const trace of traces) {
    print(json ? `${JSON.stringify(trace)}\n` : `${trace.name}  until ${trace.until}\n`);
  }
}
