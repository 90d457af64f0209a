// `aorta check` and `aorta config`: the content of a configuration file, without a start; `aorta reload` and
// `aorta drain` of a running server.

import type { Command } from 'commander';
import type { Config } from '../server/config/config.ts';
import type { ConfigWishes } from '../server/config/create-config.ts';
import { print } from '../server/process/terminal.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from './terminal/admin-client.ts';
import { CommandError, reported } from './terminal/command-action.ts';
import { environmentSource } from './terminal/data-directory.ts';

export function addConfigCommands(root: Command): void {
  root
    .command('check <file>')
    .copyInheritedSettings(root)
    .description('say what is wrong with a configuration file, by line and column; 0: nothing is')
    .action(reported(check));
  withAdminOptions(
    root
      .command('config [file]')
      .copyInheritedSettings(root)
      .description(
        'the configuration of a file with all defaults filled in, or without one what a running server has in force',
      ),
  )
    .option('--effective', 'all values, also those that nobody set (this is always so)')
    .option('--domain <name>', 'what is in force for one domain, and which key says so')
    .option('--schema', 'the JSON Schema of configuration files, for editors')
    .option('--example', 'a configuration file with every key in a comment')
    .action(reported(show));
  withAdminOptions(
    root
      .command('reload')
      .copyInheritedSettings(root)
      .description('have a running server read its configuration file anew, as SIGHUP does'),
  ).action(reported(reload));
  withAdminOptions(
    root
      .command('drain')
      .copyInheritedSettings(root)
      .description('have /readyz say 503, so that load balancers send nothing more; phones are served on'),
  )
    .option('--off', 'take it back')
    .action(reported(drain));
}

/** Root reads only files that the server's own user can read: the owner of the data directory. */
async function check(file: string): Promise<void> {
  const { data } = await createConfigOf(file);
  const { actAsOwner } = await import('../server/data/owner.ts');
  try {
    actAsOwner(data);
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
  const { parseLogin } = await import('../transport/nats/nats-login.ts');
  await createConfigOf(file, { files: true, parseLogin });
  print(`${file}: fine\n`);
}

interface ShowOptions extends AdminOptions {
  readonly domain?: string;
  readonly schema?: true;
  readonly example?: true;
}

async function show(file: string | undefined, options: ShowOptions): Promise<void> {
  if (options.schema) {
    const { jsonSchema } = await import('../server/config/rows/json-schema.ts');
    return void print(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  }
  if (options.example) return void print((await import('../server/config/rows/example-file.ts')).exampleFile());
  const values =
    file === undefined
      ? await new AdminClient(options).get<object>('/v1/config')
      : (await import('../server/config/effective-config.ts')).effectiveConfig(await createConfigOf(file));
  const { stringify } = await import('yaml');
  if (options.domain !== undefined) return showDomain(values, options.domain, options.json === true, stringify);
  print(options.json ? `${JSON.stringify(values, null, 2)}\n` : stringify(values));
}

/** Prints each value with its source as a comment. */
async function showDomain(
  values: object,
  domain: string,
  json: boolean,
  stringify: (value: unknown) => string,
): Promise<void> {
  const { domainConfig } = await import('../server/config/domain-config.ts');
  const { canonicalDomain } = await import('../core/uas/domains.ts');
  const found = domainConfig(values, canonicalDomain(domain));
  if (found === undefined) throw new CommandError(`${domain} is not served`, 1);
  if (json) return void print(`${JSON.stringify(found, null, 2)}\n`);
  const lines = Object.entries(found).map(([key, { value, from }]) => {
    const text = Array.isArray(value) ? `${key}: [${value.join(', ')}]` : stringify({ [key]: value }).trim();
    return `${text.padEnd(32)} # ${from}\n`;
  });
  print(lines.join(''));
}

async function reload(options: AdminOptions): Promise<void> {
  const report = await new AdminClient(options).change<{ applied: string[]; needRestart: string[] }>(
    'POST',
    '/v1/reload',
  );
  if (options.json || report === undefined) return void print(`${JSON.stringify(report)}\n`);
  const { applied, needRestart } = report;
  if (applied.length > 0) print(`in force now: ${applied.join(', ')}\n`);
  if (needRestart.length > 0) print(`need a restart: ${needRestart.join(', ')}\n`);
  if (applied.length + needRestart.length === 0) print('nothing changed\n');
}

async function drain(options: AdminOptions & { off?: boolean }): Promise<void> {
  const draining = options.off !== true;
  await new AdminClient(options).change('POST', '/v1/drain', { draining });
  print(draining ? 'draining: /readyz answers 503; "aorta drain --off" takes it back\n' : 'not draining\n');
}

async function createConfigOf(file: string, wishes: ConfigWishes = {}): Promise<Config> {
  const [{ createConfig }, { readConfigFile }, { ConfigError }] = await Promise.all([
    import('../server/config/create-config.ts'),
    import('../server/config/config-file.ts'),
    import('../server/config/config-problem.ts'),
  ]);
  try {
    return createConfig([environmentSource(), readConfigFile(file)], wishes);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const shown = error.problems.map((problem, i) => [problem, error.excerpts[i]].filter(Boolean).join('\n'));
    throw new CommandError(shown.join('\naorta: '), 2);
  }
}
