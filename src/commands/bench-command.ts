// `aorta bench`: its verbs and flags. parse-comparison.ts runs `parse`.

import type { Command } from 'commander';
import { later } from './terminal/command-action.ts';
import { examples } from './terminal/help-text.ts';

const EXAMPLES = `
A message is one file, as it went over the wire, CRLFs and all; a capture (pcap or pcapng, from tcpdump, Wireshark or sngrep) has
many, over UDP and TCP. Malformed messages are named with the byte that is wrong.

Examples:
  aorta bench parse
      1024 varied messages (seeded) and some typical ones
  aorta bench parse captures/ --json
  aorta bench parse monday.pcapng --markdown --svg parse.svg
      a table to be pasted, and a chart of it
  aorta bench parse register.sip --compare
      beside the parsers of sip.js, jssip, sip and drachtio-srf that are installed here
`;

/** Adds the command `bench` to the root. */
export function addBenchCommand(root: Command): void {
  const bench = root.command('bench').copyInheritedSettings(root).description('measure parts of Aorta on this machine');
  bench
    .command('parse [file|dir]')
    .copyInheritedSettings(root)
    .description('nanoseconds per message of the parser, over your messages or a corpus of its own')
    .option('--json', 'one JSON object')
    .option('--markdown', 'a table in Markdown')
    .option('--svg <file>', 'a chart, written there')
    .option('--compare', 'the JavaScript parsers installed here as well')
    .option('--seconds <s>', 'time for each set of messages', '3')
    .allowExcessArguments(false)
    .addHelpText('after', examples(EXAMPLES))
    .action(later(async () => (await import('./bench/parse-comparison.ts')).run));
}
