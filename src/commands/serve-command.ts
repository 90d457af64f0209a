// `aorta serve`: flags → configuration → server. What a flag's value may be is config.ts's.

import { type Command, Option } from 'commander';
import { DEFAULT_POLICY } from '../core/uas/policy.ts';
import type { ConfigSource } from '../server/config/config-problem.ts';
import { DEFAULT_DATA, DEFAULT_EXPIRES_JITTER, DEFAULT_LISTEN, DEFAULT_SHARDS } from '../server/config/defaults.ts';
import { EXIT_USAGE } from './terminal/exit-codes.ts';

const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];

export const SERVE_EXAMPLES = `
Examples:
  aorta serve
      serves sip:…@localhost and sip:…@127.0.0.1 on udp and tcp 127.0.0.1:5060, bindings in ./data
  aorta serve --domain example.com --listen udp:127.0.0.1:5060 --listen tcp:127.0.0.1:5060 --data /var/lib/aorta
  aorta serve --domain '*' --min-expires 300 --max-expires 3600
  aorta serve --config aorta.yaml --log-level warn
`;

/** Flags by their key in the configuration: a dot leads into a section. */
const FLAGS: readonly [key: string, option: Option][] = [
  [
    'listen',
    new Option(
      '--listen <transport:HOST:PORT>',
      `udp, tcp, tls, ws or wss, and the address to listen on; may be repeated (default: ${DEFAULT_LISTEN.map(({ transport, host, port }) => `${transport}:${host}:${port}`).join(' and ')})`,
    ).argParser(collect),
  ],
  [
    'domains',
    new Option(
      '--domain <name>',
      `domain to serve, * for every one; may be repeated (default: ${DEFAULT_POLICY.domains.join(' and ')})`,
    ).argParser(collect),
  ],
  ['data', new Option('--data <dir>', `data directory (default: ${DEFAULT_DATA})`)],
  ['shards', new Option('--shards <n>', `shard threads (default: one per core, here ${DEFAULT_SHARDS})`)],
  [
    'auth.mode',
    new Option(
      '--auth <mode>',
      'digest: users log in, see "aorta user"; none: every client may register, so loopback addresses only ' +
        '(default: none on loopback addresses alone, else digest)',
    ),
  ],
  [
    'allow-unauthenticated',
    new Option('--allow-unauthenticated', 'listen on other addresses without authentication all the same'),
  ],
  [
    'lookup.http',
    new Option(
      '--lookup <http:HOST:PORT>',
      'where proxies ask by HTTP where users are; may be repeated (default: nowhere)',
    ).argParser(collect),
  ],
  [
    'lookup.sip',
    new Option(
      '--lookup-sip <who>',
      'whose requests for a user are redirected to the contacts: trusted (this machine and --lookup-from), authenticated ' +
        '(those and users who log in), anyone, off (default: trusted)',
    ),
  ],
  [
    'lookup.from',
    new Option(
      '--lookup-from <address>',
      'proxy (address or prefix) that may ask where users are, besides this machine; may be repeated',
    ).argParser(collect),
  ],
  [
    'durability',
    new Option(
      '--durability <word>',
      'durable: on disk before the 200 OK; process: survives a crash of the process only (default: durable)',
    ),
  ],
  [
    'udp',
    new Option(
      '--udp <mode>',
      "auto: the kernel's batch calls where there are any; dgram: Node's own sockets (default: auto)",
    ),
  ],
  [
    'tls.cert',
    new Option('--tls-cert <file>', 'for tls and wss: certificate in PEM, with those that lead up to a known one'),
  ],
  ['tls.key', new Option('--tls-key <file>', 'for tls and wss: its private key in PEM')],
  [
    'policy.min-expires',
    new Option('--min-expires <s>', `shorter registrations are answered 423 (default: ${DEFAULT_POLICY.minExpiresS})`),
  ],
  [
    'policy.max-expires',
    new Option('--max-expires <s>', `longer ones are shortened to this (default: ${DEFAULT_POLICY.maxExpiresS})`),
  ],
  [
    'policy.default-expires',
    new Option('--default-expires <s>', `granted where none is asked for (default: ${DEFAULT_POLICY.defaultExpiresS})`),
  ],
  [
    'policy.expires-jitter',
    new Option(
      '--expires-jitter <percent>',
      `granted intervals are shortened at random by up to this, so that phones do not refresh in step (default: ${DEFAULT_EXPIRES_JITTER})`,
    ),
  ],
  [
    'admin.listen',
    new Option(
      '--admin <http:HOST:PORT>',
      'admin API, metrics, health and dashboard, e.g. http:127.0.0.1:8060; off loopback they need the token of the ' +
        'data directory (default: none)',
    ),
  ],
  ['log-level', new Option('--log-level <level>', 'trace, debug, info, warn, error, silent (default: info)')],
];

function flagSource(options: Readonly<Record<string, unknown>>): ConfigSource {
  const values: Record<string, unknown> = {};
  for (const [key, option] of FLAGS) {
    const value = options[option.attributeName()];
    if (value === undefined) continue;
    const [section, inner] = key.split('.');
    if (inner === undefined) values[section] = value;
    else values[section] = { ...(values[section] as object | undefined), [inner]: value };
  }
  return {
    values,
    where: (path) => ({
      name: flagOf(path.filter((part) => typeof part !== 'number').join('.')) ?? path.join('.'),
      order: 0,
    }),
    spell: (key, value) => {
      const flag = flagOf(key);
      if (flag === undefined) return value === undefined ? key : `${key}: ${value}`;
      return value === undefined || value === 'true' ? flag : `${flag} ${value}`;
    },
  };
}

function flagOf(key: string): string | undefined {
  return FLAGS.find(([name]) => name === key)?.[1].long ?? undefined;
}

/** Adds the command to the root. */
export function addServeCommand(root: Command): void {
  const serve = root
    .command('serve')
    .copyInheritedSettings(root)
    .description('run the registrar until SIGTERM or SIGINT')
    .option('--config <file>', 'configuration in YAML; flags win over it');
  for (const [, option] of FLAGS) serve.addOption(option);
  serve.allowExcessArguments(false).addHelpText('after', SERVE_EXAMPLES).action(runServe);
}

async function runServe(options: Readonly<Record<string, unknown>>): Promise<void> {
  const [{ createConfig }, { ConfigError }, { readConfigFile }, { printProblems, serve }] = await Promise.all([
    import('../server/config/config.ts'),
    import('../server/config/config-problem.ts'),
    import('../server/config/config-file.ts'),
    import('./serve.ts'),
  ]);
  const file = options.config as string | undefined;
  const flags = flagSource(options);
  /** The configuration file, where one is named, and the flags, which win. */
  const read = () => createConfig(file === undefined ? [flags] : [readConfigFile(file), flags], { files: true });
  try {
    process.exitCode = await serve(read(), file === undefined ? undefined : read);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printProblems(error);
    process.exitCode = EXIT_USAGE;
  }
}
