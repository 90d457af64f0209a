// `aorta translate`: the verb and its help. translation.ts runs it.

import type { Command } from 'commander';
import { later, reported } from '../terminal/command-action.ts';
import { examples } from '../terminal/help-text.ts';

const EXAMPLES = `
Prints a configuration file for Aorta, with a comment for each parameter of the core, of registrar, usrloc, auth, auth_db, tls and others of
a registrar: the key that it became, or why none is needed. Definitions (#!define, #!ifdef) are followed, included files are not. A
database's password is left out.

Examples:
  aorta translate /etc/kamailio/kamailio.cfg > aorta.yaml && aorta check aorta.yaml
  aorta translate /etc/opensips/opensips.cfg
`;

/** Adds the command `translate` to the root. */
export function addTranslateCommand(root: Command): void {
  root
    .command('translate <file>')
    .copyInheritedSettings(root)
    .description('say what the parameters of a kamailio.cfg or opensips.cfg are here')
    .allowExcessArguments(false)
    .addHelpText('after', examples(EXAMPLES))
    .action(reported(later(async () => (await import('./translation.ts')).translate)));
}
