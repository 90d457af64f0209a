// `aorta binding …` and `aorta alias …`: the verbs and their flags. static-verbs.ts runs them.

import type { Command } from 'commander';
import { later } from './terminal/command-action.ts';
import { withDataOption } from './terminal/data-directory.ts';
import { examples } from './terminal/help-text.ts';

const BINDING_EXAMPLES = `
Static bindings are found by lookups beside those that phones register, and never run out. No REGISTER shows, changes or
removes them. A running server sees a change within a second.

Examples:
  aorta binding add voicemail@example.com sip:mail@192.0.2.30:5080
  aorta binding add alice@example.com sip:+4912345@gateway.example.com --q 0.1
      tried after alice's own phones
  aorta binding add desk@example.com sip:desk@10.0.0.7 --path '<sip:edge.example.com;lr>'
  aorta binding rm alice@example.com
`;

const ALIAS_EXAMPLES = `
A lookup of an alias finds the contacts of the address that it stands for. A running server sees a change within a second.

Examples:
  aorta alias add sales@example.com alice@example.com
  aorta alias add +4912345@example.com alice@example.com
`;

/** Adds both commands to the root. */
export function addStaticCommands(root: Command): void {
  const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];
  const binding = group(root, 'binding', 'contacts that an operator gives an address', BINDING_EXAMPLES);
  binding('add <address> <uri>', 'add a contact, or change the one with this URI', ({ addOne }) => addOne)
    .option('--q <number>', '0 to 1: contacts with more are tried first')
    .option('--path <hop>', 'a proxy that requests go by, topmost first; may be repeated', collect)
    .addHelpText('after', examples(BINDING_EXAMPLES));
  binding('rm <address> [uri]', 'remove a contact, or all static ones of the address', ({ removeOne }) => removeOne);
  binding('ls', 'list the static contacts', ({ listBindings }) => listBindings).option(
    '--json',
    'one JSON object a line',
  );
  const alias = group(root, 'alias', 'addresses that stand for others', ALIAS_EXAMPLES);
  alias('add <alias> <address>', 'let an address stand for another', ({ setAlias }) => setAlias).addHelpText(
    'after',
    examples(ALIAS_EXAMPLES),
  );
  alias('rm <alias>', 'remove an alias', ({ dropAlias }) => dropAlias);
  alias('ls', 'list the aliases', ({ listAliases }) => listAliases).option('--json', 'one JSON object a line');
}

type Verbs = typeof import('./static-verbs.ts');
type Verb = (usage: string, description: string, pick: (verbs: Verbs) => (...args: never[]) => void) => Command;

function group(root: Command, name: string, description: string, text: string): Verb {
  const parent = root
    .command(name)
    .copyInheritedSettings(root)
    .description(description)
    .addHelpText('after', examples(text));
  return (usage, about, pick) => {
    const command = parent.command(usage).copyInheritedSettings(root).description(about);
    withDataOption(command).allowExcessArguments(false);
    return command.action(
      later(async () => {
        const verbs = await import('./static-verbs.ts');
        return (...args: unknown[]) => verbs.report(pick(verbs) as (...args: unknown[]) => void, args);
      }),
    );
  };
}
