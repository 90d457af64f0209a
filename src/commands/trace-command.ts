// `aorta trace …`: every message of an AOR or from an address in the log of a running server.

import type { Command } from 'commander';
import { print } from '../server/process/terminal.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from './terminal/admin-client.ts';
import { reported } from './terminal/command-action.ts';
import { secondsOf } from './terminal/seconds.ts';

const EXAMPLES = `
The messages go into the server's log (events "trace: request" and "trace: answer"), without credentials, and to HOMER where the
configuration has a section "hep".

Examples:
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
  const trace = root.command('trace').copyInheritedSettings(root).description('messages of a phone into the log');
  trace.addHelpText('after', EXAMPLES);
  const verb = (usage: string, description: string) =>
    withAdminOptions(trace.command(usage).copyInheritedSettings(root).description(description)).addHelpText(
      'after',
      EXAMPLES,
    );
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
