// `aorta user …`: the verbs, what they print and the codes they exit with. What they do to the store is user-store's and
// user-import's.

import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { HA1_FULL, HA1_KINDS, USER_AORS_MAX } from '../shard/user-record.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { ha1sOf } from './ha1.ts';
import { PasswordError, readPassword } from './password-input.ts';
import { RowsError } from './table-rows.ts';
import { HA1_COLUMNS, type ImportReport, importUsers } from './user-import.ts';
import { parseAor, parseUserName, type UserName } from './user-name.ts';
import { type User, UserStore } from './user-store.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const ALGORITHMS = ['MD5', 'SHA-256', 'SHA-512-256'];

const EXAMPLES = `
A password is asked for on a terminal, or read as one line of standard input; it is never given on the command line, and
never kept: the store holds HA1s (RFC 7616). A running server sees every change at once.

Examples:
  aorta user add alice@example.com --data /var/lib/aorta
  aorta user add pbx@example.com --aor alice@example.com --aor bob@example.com
      pbx may register these addresses besides its own
  pass show sip/alice | aorta user passwd alice@example.com
  aorta user import users.csv
      first line names the columns: username,domain,password or username,domain,ha1[,ha1_sha256,ha1_sha512_256]
  aorta user import subscriber.sql
      Kamailio's or OpenSIPS's table as mysqldump writes it; ha1b is for usernames that are "name@domain"
  aorta user export --output users-backup.csv
`;

interface Options {
  readonly data: string;
  readonly aor?: readonly string[];
  readonly json?: boolean;
  readonly domain?: string;
  readonly output?: string;
  readonly format?: string;
}

/** What a person did wrong, or what is missing. */
class UserError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Adds the command `user` to the root. */
export function addUserCommand(root: Command): void {
  const user = root.command('user').copyInheritedSettings(root).description('users and what they may register');
  user.addHelpText('after', EXAMPLES);
  const verb = (usage: string, description: string, action: (...args: never[]) => Promise<void>) => {
    const command = user.command(usage).copyInheritedSettings(root).description(description);
    command.option('--data <dir>', 'data directory', DEFAULT_CONFIG.data).allowExcessArguments(false);
    return command.action((...args: unknown[]) => report(action as (...args: unknown[]) => Promise<void>, args));
  };
  const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];
  verb('add <user@domain>', 'add a user; asks for the password', add)
    .option('--aor <address>', 'another address that the user may register; may be repeated', collect)
    .addHelpText('after', EXAMPLES);
  verb('passwd <user@domain>', "change a user's password", passwd).addHelpText('after', EXAMPLES);
  verb('rm <user@domain>', 'remove a user; a running server, or the next one, removes its bindings', remove);
  verb('ls', 'list the users, without their HA1s', list).option('--json', 'one JSON object a line');
  verb('import <file>', 'add users from a CSV file or a subscriber table in SQL, or replace them', importFile)
    .option('--domain <name>', 'domain of rows that name none')
    .addHelpText('after', EXAMPLES);
  verb('export', 'write all users with their HA1s, as import reads them: keep it like passwords', exportUsers)
    .option('--format <name>', 'csv', 'csv')
    .option('--output <file>', 'write there, readable by the owner only (default: standard output)')
    .addHelpText('after', EXAMPLES);
}

async function report(action: (...args: unknown[]) => Promise<void>, args: unknown[]): Promise<void> {
  try {
    await action(...args);
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return;
    process.stderr.write(`aorta: ${message}\n`);
    const foreseen = error instanceof UserError || error instanceof PasswordError || error instanceof RowsError;
    if (!foreseen && syscall === undefined && (error as Error).cause === undefined) throw error;
    process.exitCode = error instanceof UserError ? error.exitCode : EXIT_FAILED;
  }
}

async function add(text: string, options: Options): Promise<void> {
  const user = userName(text);
  const aors = [...new Set((options.aor ?? []).map(aorOf))];
  if (aors.length > USER_AORS_MAX) throw new UserError(`a user may have at most ${USER_AORS_MAX} other addresses`);
  const taken = () =>
    new UserError(
      `${nameOf(user)} is there already: "aorta user passwd ${nameOf(user)}" changes its password, "aorta user rm" removes it`,
    );
  await withStore(options, true, async (store) => {
    if (store.get(user) !== undefined) throw taken();
    const ha1s = ha1sOf(user.name, user.realm, await readPassword(nameOf(user)));
    if (store.put([{ ...user, ha1s, aors }], 'add').refused > 0) throw taken();
    const others = aors.length === 0 ? '' : ` and ${aors.join(', ')}`;
    process.stdout.write(`added ${nameOf(user)}: may register ${nameOf(user)}${others}\n`);
  });
}

async function passwd(text: string, options: Options): Promise<void> {
  const user = userName(text);
  await withStore(options, false, async (store) => {
    if (store.get(user) === undefined) throw missing(user, options);
    const ha1s = ha1sOf(user.name, user.realm, await readPassword(nameOf(user)));
    if (store.put([{ ...user, ha1s }], 'replace').refused > 0) throw missing(user, options);
    process.stdout.write(`changed the password of ${nameOf(user)}\n`);
  });
}

async function remove(text: string, options: Options): Promise<void> {
  const user = userName(text);
  await withStore(options, false, async (store) => {
    if (!store.remove(user)) throw missing(user, options);
    process.stdout.write(`removed ${nameOf(user)}\n`);
  });
}

async function list(options: Options): Promise<void> {
  await withStore(options, false, async (store) => {
    for (const user of store.all()) {
      const algorithms = ALGORITHMS.filter((_, algorithm) => user.ha1s[algorithm] !== undefined);
      const { name, realm, aors } = user;
      const line = options.json
        ? JSON.stringify({ user: name, domain: realm, algorithms, aors })
        : [nameOf(user), algorithms.join(','), ...aors].join('  ');
      await write(`${line}\n`);
    }
  });
}

async function importFile(file: string, options: Options): Promise<void> {
  const size = sizeOf(file);
  const began = performance.now();
  const terminal = process.stderr.isTTY;
  const imported = await withStore(options, true, (store) =>
    importUsers(store, file, {
      ...(options.domain === undefined ? {} : { domain: options.domain }),
      progress: (bytes, users) => {
        const percent = Math.floor((100 * bytes) / size);
        if (terminal) process.stderr.write(`\r\u001b[2K${percent}%  ${users.toLocaleString('en-US')} users`);
      },
    }),
  );
  if (terminal) process.stderr.write('\r\u001b[2K');
  printImport(imported, file, (performance.now() - began) / 1000);
  if (imported.skipped > 0) process.exitCode = EXIT_FAILED;
}

function printImport(imported: ImportReport, file: string, seconds: number): void {
  for (const { line, reason } of imported.reasons) process.stderr.write(`${file}:${line}: skipped: ${reason}\n`);
  const hidden = imported.skipped - imported.reasons.length;
  if (hidden > 0) process.stderr.write(`and ${hidden} more\n`);
  const { added, replaced, skipped } = imported;
  process.stdout.write(`added ${added}, replaced ${replaced}, skipped ${skipped} in ${seconds.toFixed(1)} s\n`);
}

async function exportUsers(options: Options): Promise<void> {
  if (options.format !== 'csv') throw new UserError(`--format: expected csv, got "${options.format}"`, EXIT_USAGE);
  await withStore(options, false, async (store) => {
    const { output } = options;
    const fd = output === undefined ? undefined : createFile(output);
    const put = async (line: string) => {
      if (fd === undefined) await write(line);
      else writeSync(fd, line);
    };
    const kinds = Array.from({ length: HA1_KINDS }, (_, i) => (i >> 1) + (i & 1) * HA1_FULL); // ha1, ha1b, ha1_sha256, …
    await put(`username,domain,${kinds.map((kind) => HA1_COLUMNS[kind][0]).join(',')},aors\n`);
    for (const user of store.all()) {
      const ha1s = kinds.map((kind) => user.ha1s[kind]?.toString('hex') ?? '');
      await put(`${[quoted(user.name), user.realm, ...ha1s, quoted(user.aors.join(' '))].join(',')}\n`);
    }
    if (fd === undefined) return;
    fsyncSync(fd);
    closeSync(fd);
    process.stdout.write(`wrote ${store.count} users to ${output}\n`);
  });
}

/** A new file for its owner alone; never one that is there. */
function createFile(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UserError(`${file} is there already: name another file or remove it`);
  }
}

function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function withStore<T>(options: Options, make: boolean, use: (store: UserStore) => Promise<T>): Promise<T> {
  const { data } = options;
  if (!make && !UserStore.exists(data)) {
    throw new UserError(
      `no users in ${data}: name the data directory with --data, or add a user with "aorta user add"`,
    );
  }
  const store = UserStore.open(data);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function userName(text: string): UserName {
  return asUsage(() => parseUserName(text));
}

function aorOf(text: string): string {
  return asUsage(() => parseAor(text), '--aor: ');
}

function asUsage<T>(read: () => T, where = ''): T {
  try {
    return read();
  } catch (error) {
    throw new UserError(where + (error as Error).message, EXIT_USAGE);
  }
}

function missing(user: UserName, options: Options): UserError {
  return new UserError(
    `${nameOf(user)} is no user in ${options.data}: "aorta user ls --data ${options.data}" lists them`,
  );
}

function nameOf(user: Pick<User, 'name' | 'realm'>): string {
  return `${user.name}@${user.realm}`;
}

function sizeOf(file: string): number {
  try {
    return Math.max(1, statSync(file).size);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new UserError(`${file}: no such file`);
    throw error;
  }
}

/** Waits while the reader of the output is slow. */
function write(text: string): Promise<void> | void {
  if (!process.stdout.write(text)) return new Promise((resolve) => process.stdout.once('drain', resolve));
}
