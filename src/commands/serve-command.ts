// `aorta serve`: flags → configuration → server. serve-flags.ts has its flags, and loads the configuration's rows only for this
// command and for completion.

import type { Command } from 'commander';
import { environmentSource } from './terminal/data-directory.ts';
import { EXIT_USAGE } from './terminal/exit-codes.ts';
import { examples } from './terminal/help-text.ts';

export const SERVE_EXAMPLES = `
Examples:
  aorta serve
      serves sip:…@localhost and sip:…@127.0.0.1 on udp and tcp 127.0.0.1:5060, bindings in ./data
  aorta serve --domain example.com --listen udp:127.0.0.1:5060 --listen tcp:127.0.0.1:5060 --data /var/lib/aorta
  aorta serve --domain '*' --min-expires 300 --max-expires 3600
  aorta serve --config aorta.yaml --log-level warn
`;

/** Commands that show or read the flags. */
const READ_FLAGS = ['serve', 'completion', 'help'];

/** Adds the command to the root. @param words of the command line */
export async function addServeCommand(root: Command, words: readonly string[]): Promise<void> {
  const serve = root
    .command('serve')
    .copyInheritedSettings(root)
    .description('run the registrar until SIGTERM or SIGINT')
    .option('--config <file>', 'configuration in YAML; flags win over it');
  if (READ_FLAGS.includes(words[0]))
    for (const { option } of (await import('./serve-flags.ts')).SERVE_FLAGS) serve.addOption(option);
  serve.allowExcessArguments(false).addHelpText('after', examples(SERVE_EXAMPLES)).action(runServe);
}

async function runServe(options: Readonly<Record<string, unknown>>): Promise<void> {
  const file = options.config as string | undefined;
  const [{ createConfig }, { ConfigError }, files, { flagSource }, { printProblems, serve }] = await Promise.all([
    import('../server/config/create-config.ts'),
    import('../server/config/config-problem.ts'),
    file === undefined ? undefined : import('../server/config/config-file.ts'),
    import('./serve-flags.ts'),
    import('./serve.ts'),
  ]);
  const flags = flagSource(options);
  /** The environment, the configuration file, where one is named, and the flags, which win. */
  const read = () =>
    createConfig([environmentSource(), ...(file && files ? [files.readConfigFile(file)] : []), flags], { files: true });
  try {
    process.exitCode = await serve(read(), files && read);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printProblems(error);
    process.exitCode = EXIT_USAGE;
  }
}
