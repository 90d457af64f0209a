// The one way from raw values (file, flags, a program's options) to a checked Config. config-file.ts and serve-command.ts provide the
// values and name their places in a file; rows/ has the conditions on each key.

import { fitIntervals, type Policy } from '../../core/uas/policy.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import { DEFAULT_WEBSOCKET_POLICY } from '../../transport/websocket/websocket-policy.ts';
import { type Config, DEFAULT_CONFIG, OPEN_ORIGINS } from './config.ts';
import { configFaults } from './config-faults.ts';
import { ConfigProblems, type ConfigSource, type Fault, type Place, spellAsFile } from './config-problem.ts';
import { fileFaults, type ReadText } from './file-faults.ts';
import { intervalFaults } from './intervals.ts';
import { isAnywhere, isLoopback } from './listener-text.ts';
import { whyNotOwn } from './own-rules.ts';
import { CONFIG_ROWS } from './rows/all-rows.ts';
import { valueAt, withValue } from './rows/by-path.ts';
import { type Raw, schemaFor, schemaOfGiven } from './rows/file-schema.ts';
import { fillRows, mergeRaw } from './rows/fill.ts';
import { parseDomain } from './rows/texts.ts';
import { pushPolicyOf } from './sections/push-config.ts';
import { suggestKey } from './unknown-key.ts';

export interface Defaults {
  readonly listen: readonly ListenAddress[];
  readonly expiresJitterPercent: number;
}

export interface ConfigWishes {
  /** The defaults. */
  readonly defaults?: Defaults;
  /** Whether the named files must exist, as for a start. */
  readonly files?: boolean;
  /** Checks a file with a NATS login; servers leave that to the cluster. */
  readonly parseLogin?: ReadText;
}

/** Checks each source and merges them; later sources win. Throws a ConfigError. */
export function createConfig(sources: readonly ConfigSource[], wishes: ConfigWishes = {}): Config {
  const { defaults, files = false, parseLogin } = wishes;
  const problems = new ConfigProblems();
  const raws = sources.map((source, number) => checkSource(source, number, problems));
  problems.raise();

  const merged = raws.reduce((one, other) => mergeRaw(CONFIG_ROWS, one, other), {});
  const tell = (faults: readonly Fault[]): void => {
    for (const { path, text } of faults) {
      const number = raws.findLastIndex((raw) => valueAt(raw, path) !== undefined);
      const source = sources[number];
      const place: Place = source?.where(path) ?? { name: path.join('.'), order: 0 };
      const spell = source?.spell ?? sources.at(-1)?.spell ?? spellAsFile;
      problems.add(place, number, typeof text === 'string' ? text : text(spell));
    }
  };
  tell([
    ...intervalFaults(section(merged, 'policy'), ['policy']),
    ...Object.keys(section(merged, 'domains')).flatMap((name) => {
      const path = ['domains', name, 'policy'];
      return intervalFaults(valueAt(merged, path) ?? {}, path);
    }),
    ...lonelyFiles(merged),
  ]);
  const config = fill(merged, defaults);
  tell(configFaults(config));
  if (files) tell(fileFaults(config, parseLogin));
  problems.raise();
  return config;
}

function checkSource(source: ConfigSource, number: number, problems: ConfigProblems): Raw {
  const result = schemaOfGiven(source.values).safeParse(source.values);
  if (result.success) return result.data;
  const schema = schemaFor(source.values); // for the keys that were not given
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const why = whyNotOwn(issue.path, key) ?? `unknown key${suggestKey(schema, issue.path, key, source.spell)}`;
        problems.add(source.where([...issue.path, key], true), number, why);
      }
    } else if (issue.code === 'invalid_key')
      problems.add(source.where(issue.path, true), number, issue.issues[0].message);
    else problems.add(source.where(issue.path), number, issue.message);
  }
  return {};
}

/** A certificate without its key, or the reverse: it would have no effect. */
function lonelyFiles(raw: Raw): Fault[] {
  const lonely = (
    name: string,
    given: Readonly<Record<string, unknown>>,
    names: readonly [string, string],
  ): Fault[] => {
    const [there, missing] = given[names[0]] === undefined ? [names[1], names[0]] : names;
    if (given[missing] !== undefined || Object.values(given).every((value) => value === undefined)) return [];
    const path = given[there] === undefined ? [name] : [name, there];
    return [{ path, text: (spell) => `needs ${spell(`${name}.${missing}`, 'FILE')} beside it` }];
  };
  const { certificate, key } = section(raw, 'admin');
  return [
    ...lonely('tls', section(raw, 'tls'), ['cert', 'key']),
    ...lonely('admin', { certificate, key }, ['certificate', 'key']),
  ];
}

/** Default: clients must authenticate where a provider has users, or an address can be reached from other machines. */
function authMode(raw: Raw, { listen, multicast, auth }: Config): 'none' | 'digest' {
  if (auth.provider !== undefined) return 'digest';
  if (raw['allow-unauthenticated'] === true) return 'none';
  const hosts = [...listen.map(({ host }) => host), multicast?.interface ?? '127.0.0.1'];
  return hosts.every(isLoopback) ? 'none' : 'digest';
}

/** Default: this machine by its usual names, and by those of its addresses that it listens on. */
function ownDomains({ listen, policy }: Config): readonly string[] {
  const own = listen.filter(({ host }) => !isLoopback(host) && !isAnywhere(host)).map(({ host }) => parseDomain(host));
  return [...new Set([...policy.domains, ...own])];
}

/** The file's values, and the defaults that follow from them. */
function fill(raw: Raw, defaults: Defaults | undefined): Config {
  const { listen, policy } = DEFAULT_CONFIG;
  const { listen: listenDefault, ...policyDefaults } = { listen, ...defaults };
  const base = { ...DEFAULT_CONFIG, listen: listenDefault, policy: { ...policy, ...policyDefaults } };
  let config = fillRows(CONFIG_ROWS, raw, base);
  const otherwise = (path: readonly string[], at: readonly string[], value: unknown): void => {
    if (valueAt(raw, path) === undefined) config = withValue(config, at, value);
  };
  config = { ...config, policy: { ...config.policy, ...givenIntervals(section(raw, 'policy'), base.policy) } };
  otherwise(['domains'], ['policy', 'domains'], ownDomains(config));
  otherwise(['auth', 'mode'], ['auth', 'mode'], authMode(raw, config));
  const { nonceLifetimeMs, nonceKeyMs } = config.auth.policy;
  otherwise(['auth', 'nonce-key-s'], ['auth', 'policy', 'nonceKeyMs'], Math.max(nonceKeyMs, nonceLifetimeMs));
  const origins = config.auth.mode === 'none' ? OPEN_ORIGINS : DEFAULT_WEBSOCKET_POLICY.origins;
  otherwise(['websocket', 'origins'], ['webSocket', 'origins'], origins);
  // The servers of the cluster have each record on their disks.
  if (config.cluster) otherwise(['durability'], ['durability'], 'process');
  if (config.admin)
    otherwise(['admin', 'require-token'], ['admin', 'requireToken'], !isLoopback(config.admin.listen.host));
  return withoutHalfPairs({ ...config, policy: { ...config.policy, push: pushPolicyOf(config.push) } });
}

function givenIntervals(given: Readonly<Record<string, number>>, base: Policy): ReturnType<typeof fitIntervals> {
  const { 'min-expires': minExpiresS, 'default-expires': defaultExpiresS, 'max-expires': maxExpiresS } = given;
  return fitIntervals({ minExpiresS, defaultExpiresS, maxExpiresS }, base);
}

/** TLS is on where a certificate and its key are given. */
function withoutHalfPairs(config: Config): Config {
  const { tls, admin } = config;
  const withTls =
    tls?.certFile !== undefined && tls.keyFile !== undefined ? config : withValue(config, ['tls'], undefined);
  if (admin?.tls?.certificate !== undefined && admin.tls.key !== undefined) return withTls;
  return admin === undefined ? withTls : withValue(withTls, ['admin', 'tls'], undefined);
}

function section(raw: Raw, name: string): Readonly<Record<string, never>> {
  return (raw[name] ?? {}) as Readonly<Record<string, never>>;
}
