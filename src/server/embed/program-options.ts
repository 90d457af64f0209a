// Options of `createRegistrar`: the configuration file's shape in camelCase, and further ones that only a program can give. They
// are checked by the file's own schema, so that both refuse the same values.

import * as z from 'zod';
import { callProgram } from '../../shard/observe/program-call.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import type { HandshakeHook } from '../../transport/websocket/websocket-handshake.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, type ConfigSource, type Fault } from '../config/config-problem.ts';
import { createConfig } from '../config/create-config.ts';
import { formatListenAddress } from '../config/listener-text.ts';
import type { FileInput } from '../config/rows/all-rows.ts';
import { ofSection, type Raw, schemaFor, schemaOf } from '../config/rows/file-schema.ts';
import { fillRows } from '../config/rows/fill.ts';
import { choice, expected, yesOrNo } from '../config/rows/kinds.ts';
import { providerLimitRows } from '../config/rows/provider-rows.ts';
import { section } from '../config/rows/row.ts';
import { bareSchema, schemaBelow } from '../config/unknown-key.ts';
import { issueTexts } from '../http/issue-text.ts';
import type { Log } from '../process/log.ts';
import type { FindCredentials, ProgramCredentials } from '../users/program-source.ts';
import { DEFAULT_PROVIDER_LIMITS, type ProviderLimits } from '../users/provider-options.ts';
import type { SendAnswer } from './message-source.ts';

/** `min-expires` → `minExpires` */
type CamelKey<K> = K extends `${infer Head}-${infer Rest}` ? `${Head}${Capitalize<CamelKey<Rest>>}` : K;
/** A section of the file with its keys in camelCase. */
type InCamel<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T as CamelKey<K>]: InCamel<T[K]> }
    : T;

/** The sections of the configuration file (docs/configuration.md) in camelCase: `policy.min-expires` is `policy.minExpires`. */
export type FileOptions = InCamel<Omit<FileInput, 'listen'>>;

/** A program's function that finds users, and the keys of a provider in the file. */
export type CredentialsOption = FindCredentials | ({ readonly find: FindCredentials } & Partial<ProviderLimits>);

export interface RegistrarOptions extends FileOptions {
  /** The addresses that it listens on itself, e.g. `udp:127.0.0.1:5060`. None: the program hands messages in. */
  readonly listen?: string | readonly (string | ListenAddress)[] | undefined;
  /** `disk`: in the data directory (`data`). `memory`: lost with the program; needs `threads: false`. */
  readonly store?: 'disk' | 'memory' | undefined;
  /** Worker threads, one per shard. `false`: all work is in the calling thread, which then cannot listen by itself. */
  readonly threads?: boolean | undefined;
  /** Sends an answer to a message that was handed in. */
  readonly send?: SendAnswer | undefined;
  /** Accepts or refuses WebSocket clients by their handshake, for example by the session cookie of a web application. */
  readonly webSocketHandshake?: HandshakeHook | undefined;
  /** Finds users that the user store does not have; clients then authenticate, with `digest` (not with `auth: 'none'`). */
  readonly credentials?: CredentialsOption | undefined;
  /** Gets each event worth waking for, from `logLevel` up. */
  readonly log?: Log | undefined;
}

/** Options after their check: the configuration, and the further ones of a program. */
export interface CheckedOptions {
  readonly config: Config;
  readonly inMemory: boolean;
  readonly threads: boolean;
  readonly send: SendAnswer | undefined;
  readonly webSocketHandshake: HandshakeHook | undefined;
  readonly credentials: ProgramCredentials | undefined;
  readonly log: Log;
}

const credentialLimits = section('A function is asked with these limits.', providerLimitRows);
const credentialSchema = ofSection(credentialLimits, false);

const hook =
  (shape: string) =>
  <T>() =>
    z.custom<T>((value) => typeof value === 'function', {
      error: (issue) => expected(`a function ${shape}`, issue.input),
    });

const programSchema = {
  store: schemaOf(choice('disk', 'memory')).optional(),
  threads: schemaOf(yesOrNo).optional(),
  send: hook('(bytes, target)')<SendAnswer>().optional(),
  webSocketHandshake: hook('(handshake)')<HandshakeHook>().optional(),
  credentials: z.unknown().optional(),
  log: hook('(level, event, fields); a level is "logLevel"')<Log>().optional(),
};

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** A program hands messages in, and decides itself whether its phones are so many that they must not refresh in step. */
const PROGRAM_DEFAULTS = { listen: [], expiresJitterPercent: 0 };

/** Checks all options, without any effect. Throws a ConfigError. */
export function readOptions(options: RegistrarOptions): CheckedOptions {
  if (!isSection(options)) throw new ConfigError([expected('options such as { listen: [...] }', options)]);
  const problems: string[] = [];
  const own = z.object(programSchema).safeParse(options);
  if (!own.success) problems.push(...issueTexts(own.error.issues));
  const credentials = readCredentials(options.credentials, problems);
  const source = sourceOf(credentials === undefined ? options : authenticating(options), problems);
  let config: Config | undefined;
  try {
    config = createConfig([source], { defaults: PROGRAM_DEFAULTS, files: true });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  if (config === undefined || !own.success || problems.length > 0) throw new ConfigError(problems);
  const { store, threads = true, send, webSocketHandshake, log = () => {} } = own.data;
  const tell = fromLevel(config.logLevel, log);
  const contained = send && containedSend(send, tell);
  const checked = { config, inMemory: store === 'memory', threads, send: contained, webSocketHandshake, credentials };
  const faults = [
    ...ofMemory(checked, options),
    ...ofCredentials(checked),
    ...(threads ? [] : ofOneThread(config, options)),
  ];
  if (faults.length > 0) throw new ConfigError(faults.map(({ path, text }) => `${path.join('.')}: ${text}`));
  return { ...checked, log: tell };
}

function ofMemory({ inMemory, threads, config }: Omit<CheckedOptions, 'log'>, options: RegistrarOptions): Fault[] {
  if (!inMemory) return [];
  return [
    ...(threads ? [{ path: ['store'], text: 'memory needs threads: false' }] : []),
    ...(config.feed === undefined ? [] : [{ path: ['feed'], text: 'needs a data directory' }]),
    ...(options.data === undefined ? [] : [{ path: ['data'], text: 'nothing is kept there with store: memory' }]),
    ...(config.auth.mode === 'none' ? [] : [{ path: ['auth'], text: 'digest needs a data directory, for its users' }]),
  ];
}

function ofCredentials({ config, credentials }: Omit<CheckedOptions, 'log'>): Fault[] {
  if (credentials === undefined) return [];
  if (config.auth.mode === 'none')
    return [{ path: ['credentials'], text: 'nobody is asked for any with auth: none; leave out "auth"' }];
  if (config.auth.provider !== undefined) return [{ path: ['credentials'], text: 'stands instead of auth.provider' }];
  return [];
}

/** Options of a program that configures users: its clients must authenticate. */
function authenticating(options: RegistrarOptions): RegistrarOptions {
  const { auth } = options;
  if (auth === undefined) return { ...options, auth: 'digest' };
  return isSection(auth) ? { ...options, auth: { mode: 'digest', ...auth } } : options;
}

function readCredentials(option: unknown, problems: string[]): ProgramCredentials | undefined {
  if (option === undefined) return undefined;
  const { find, ...limits } = (isSection(option) ? option : { find: option }) as { find: unknown };
  if (typeof find !== 'function') {
    problems.push(
      `credentials: ${expected('a function (user, realm), or { find: (user, realm) => …, ttlS: … }', find)}`,
    );
    return undefined;
  }
  const checked = credentialSchema.safeParse(inHyphens(limits, credentialSchema, ['credentials'], problems));
  if (checked.success) {
    const filled = fillRows(credentialLimits, checked.data as Raw, DEFAULT_PROVIDER_LIMITS);
    return { find: find as FindCredentials, limits: filled };
  }
  for (const issue of checked.error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : issue.path;
    const text = issue.code === 'unrecognized_keys' ? 'unknown key' : issue.message;
    problems.push(`credentials.${keys.map(camel).join('.')}: ${text}`);
  }
  return undefined;
}

/** Settings that need threads: they would have no effect without them, and so are refused. */
function ofOneThread(config: Config, options: RegistrarOptions): Fault[] {
  const faults: Fault[] = [];
  const limited = Object.entries(config.policy.byDomain).find(([, { bindingsMax = 0 }]) => bindingsMax > 0);
  if (limited !== undefined)
    faults.push({ path: ['domains', limited[0], 'policy', 'bindingsMax'], text: 'needs threads' });
  if (config.policy.ping !== 'off') faults.push({ path: ['policy', 'ping'], text: 'needs threads' });
  const pinged = Object.entries(config.policy.byDomain).find(([, { ping = 'off' }]) => ping !== 'off');
  if (pinged !== undefined) faults.push({ path: ['domains', pinged[0], 'policy', 'ping'], text: 'needs threads' });
  if (config.listen.length > 0) faults.push({ path: ['listen'], text: 'needs threads; without them hand messages in' });
  if ((config.shards ?? 1) !== 1) faults.push({ path: ['shards'], text: 'without threads there is one' });
  if (config.lookupHttp.length > 0) faults.push({ path: ['lookup', 'http'], text: 'needs threads' });
  if (config.sharedLocation) faults.push({ path: ['location', 'shared'], text: 'needs threads' });
  if (config.cluster !== undefined) faults.push({ path: ['cluster'], text: 'needs threads' });
  for (const key of ['admin', 'hep', 'multicast', 'tls', 'websocket', 'webSocketHandshake', 'udp', 'drain'] as const)
    if (options[key] !== undefined) faults.push({ path: [key], text: 'needs threads' });
  return faults;
}

/** The options as a source of configuration. Keys spelt as in the file are problems. */
function sourceOf(options: RegistrarOptions, problems: string[]): ConfigSource {
  const rest = Object.fromEntries(
    Object.entries(options).filter(([key, value]) => !Object.hasOwn(programSchema, key) && value !== undefined),
  );
  const { listen } = rest;
  if (Array.isArray(listen)) rest.listen = listen.map(addressText);
  if (Array.isArray(rest.listen) && rest.listen.length === 0) delete rest.listen;
  return {
    values: inHyphens(rest, schemaFor(rest), [], problems) as Record<string, unknown>,
    where: (path) => ({
      name: path
        .filter((part) => typeof part !== 'number')
        .map(camel)
        .join('.'),
      order: 0,
    }),
    spell: (key, value) => camel(key) + (value === undefined ? '' : `: ${value}`),
  };
}

function addressText(one: unknown): unknown {
  if (!isSection(one)) return one;
  const { transport, host, port } = one as Partial<Record<keyof ListenAddress, unknown>>;
  if (typeof transport !== 'string' || typeof host !== 'string' || typeof port !== 'number') return one;
  return formatListenAddress({ transport, host, port } as ListenAddress);
}

/** Keys of sections in the file's spelling; names of the operator's choice, such as domains, stay as they are. */
function inHyphens(value: unknown, schema: unknown, path: readonly string[], problems: string[]): unknown {
  const bare = bareSchema(schema);
  const ofSections = bare instanceof z.ZodObject;
  if (!isSection(value) || !(ofSections || bare instanceof z.ZodRecord)) return value;
  const entries = Object.entries(value).flatMap(([key, below]) => {
    if (below === undefined) return [];
    const name = ofSections ? hyphened(key) : key;
    if (ofSections && key.includes('-')) {
      problems.push(`${[...path, key].join('.')}: unknown key, did you mean "${camel(key)}"?`);
      return [];
    }
    return [[name, inHyphens(below, schemaBelow(schema, name), [...path, key], problems)]];
  });
  return Object.fromEntries(entries);
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hyphened(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function camel(key: PropertyKey): string {
  return String(key).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A failing call of `send` must not stop other answers. */
function containedSend(send: SendAnswer, log: Log): SendAnswer {
  const failed = (error: unknown) => log('error', 'the function "send" failed', { error: String(error) });
  return (bytes, target) => callProgram(() => send(bytes, target), failed);
}

/** Drops events below the level. */
function fromLevel(lowest: string, log: Log): Log {
  return (level, event, fields) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(lowest)) log(level, event, fields);
  };
}
