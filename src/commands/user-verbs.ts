// The verbs of `aorta user`: their work, output and exit codes. user-store and user-import change the store.

import { existsSync } from 'node:fs';
import { domainOf, readServed, unservedNote } from '../server/config/served-domains.ts';
import { actAsOwner, chownHint } from '../server/data/owner.ts';
import { errorText, fileFault } from '../server/process/file-fault.ts';
import { showProgress } from '../server/process/progress.ts';
import { print, printError } from '../server/process/terminal.ts';
import { ha1sOf } from '../users/ha1.ts';
import type { User } from '../users/stored-user.ts';
import { parseAor, parseUserName, type UserName } from '../users/user-name.ts';
import { USER_AORS_MAX } from '../users/user-record.ts';
import { UserStore } from '../users/user-store.ts';
import { DATABASES } from './import/sql-text.ts';
import { USER_FORMATS, type UserExport, userHead, userRow, userTail } from './import/user-export.ts';
import { countingSink, type ImportReport, importUsers, type UserSink } from './import/user-import.ts';
import { CommandError } from './terminal/command-action.ts';
import { EXIT_FAILED, EXIT_USAGE } from './terminal/exit-codes.ts';
import { InputFile, RowsError } from './terminal/input-file.ts';
import { writeOutput } from './terminal/output-file.ts';
import { PasswordError, readPassword } from './terminal/password-input.ts';

const ALGORITHMS = ['MD5', 'SHA-256', 'SHA-512-256'];

interface Options {
  readonly data: string;
  readonly aor?: readonly string[];
  readonly json?: boolean;
  readonly domain?: string;
  readonly output?: string;
  readonly format?: string;
  readonly database?: string;
  readonly encoding?: string;
  readonly dryRun?: boolean;
}

/** An error of the user, or a missing part. */
class UserError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

export async function report(action: (...args: unknown[]) => Promise<void>, args: unknown[]): Promise<void> {
  try {
    await action(...args);
  } catch (error) {
    const { message, code, cause } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return;
    printError(`aorta: ${errorText(error)}\n`);
    const foreseen =
      error instanceof RangeError ||
      error instanceof UserError ||
      error instanceof CommandError ||
      error instanceof PasswordError ||
      error instanceof RowsError;
    // The system's errors, and LMDB's, have a code.
    if (!foreseen && code === undefined && cause === undefined) throw error;
    const isUsage = error instanceof RangeError && message.startsWith('--');
    process.exitCode = error instanceof UserError ? error.exitCode : isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

export async function add(text: string, options: Options): Promise<void> {
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
    tellUnserved(options, [user.realm, ...aors.map(domainOf)]);
    print(`added ${nameOf(user)}: may register ${nameOf(user)}${others}\n`);
  });
}

export async function passwd(text: string, options: Options): Promise<void> {
  const user = userName(text);
  await withStore(options, false, async (store) => {
    if (store.get(user) === undefined) throw missing(user, options);
    const ha1s = ha1sOf(user.name, user.realm, await readPassword(nameOf(user)));
    if (store.put([{ ...user, ha1s }], 'replace').refused > 0) throw missing(user, options);
    print(`changed the password of ${nameOf(user)}\n`);
  });
}

/** Shows a user's own rules, or sets some of them: `max-expires=10m`, and `max-expires=` for the domain's. */
export async function policy(text: string, settings: readonly string[], options: Options): Promise<void> {
  const user = userName(text);
  const [{ parse, stringify }, { rulesText, shownRules }] = await Promise.all([
    import('yaml'),
    import('../server/config/user-rules.ts'),
  ]);
  await withStore(options, false, async (store) => {
    const found = store.get(user);
    if (found === undefined) throw new UserError(`no user ${nameOf(user)}`);
    const values = shownRules(found.rules ?? '');
    for (const setting of settings) {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
      if (key === undefined) throw new UserError(`expected KEY=VALUE such as max-expires=10m, got "${setting}"`);
      if (value === '') delete values[key];
      else values[key] = parse(value);
    }
    const rules = rulesText(values);
    if (settings.length > 0) store.put([{ ...found, rules }], 'replace');
    const shown = shownRules(rules);
    print(options.json ? `${JSON.stringify(shown)}\n` : rules === '' ? 'as in the domain\n' : stringify(shown));
  });
}

export async function remove(text: string, options: Options): Promise<void> {
  const user = userName(text);
  await withStore(options, false, async (store) => {
    if (!store.remove(user)) throw missing(user, options);
    print(`removed ${nameOf(user)}\n`);
  });
}

export async function list(options: Options): Promise<void> {
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

export async function importFile(file: string, options: Options): Promise<void> {
  const input = openInput(file);
  const began = performance.now();
  const display = showProgress(process.stderr.isTTY ? process.stderr : undefined, () => {});
  await input.settle(options.encoding);
  const imported = await (options.dryRun ? withCounts : withMadeStore)(options, (sink) =>
    importUsers(sink, input, {
      ...(options.domain === undefined ? {} : { domain: options.domain }),
      progress: (bytes, users) => display.report('users', bytes, input.size, users),
    }),
  ).finally(display.end);
  tellUnserved(options, imported.domains);
  printImport(imported, file, options, (performance.now() - began) / 1000);
  if (imported.skipped > 0) process.exitCode = EXIT_FAILED;
}

function withMadeStore<T>(options: Options, use: (sink: UserSink) => Promise<T>): Promise<T> {
  return withStore(options, true, use);
}

/** For a dry run: nothing is made or changed, and present users are known. */
async function withCounts<T>({ data }: Options, use: (sink: UserSink) => Promise<T>): Promise<T> {
  if (!UserStore.exists(data)) return use(countingSink(undefined));
  actAsOwner(data);
  const store = UserStore.openToRead(data);
  return use(countingSink(store)).finally(() => store.close());
}

function printImport(imported: ImportReport, file: string, options: Options, seconds: number): void {
  for (const { line, reason } of imported.reasons) printError(`${file}:${line}: skipped: ${reason}\n`);
  const hidden = imported.skipped - imported.reasons.length;
  if (hidden > 0) printError(`and ${hidden} more\n`);
  const { added, replaced, skipped } = imported;
  const [add, replace, skip] = options.dryRun
    ? ['would add', 'would replace', 'would skip']
    : ['added', 'replaced', 'skipped'];
  print(`${add} ${added}, ${replace} ${replaced}, ${skip} ${skipped} in ${seconds.toFixed(1)} s\n`);
}

export async function exportUsers(options: Options): Promise<void> {
  const as: UserExport = {
    format: oneOf('--format', options.format, USER_FORMATS),
    database: oneOf('--database', options.database, DATABASES),
  };
  const { output } = options;
  let written = 0;
  await writeOutput(output, (put) =>
    withStore(options, false, async (store) => {
      await put(userHead(as));
      for (const user of store.all()) {
        const row = await userRow(user, as);
        if (row !== undefined) {
          await put(row);
          written++;
        } else printError(`${nameOf(user)}: skipped: no HA1 that the table of ${as.format} has a column for\n`);
      }
      await put(userTail(as));
    }),
  );
  if (output !== undefined) print(`wrote ${written} users to ${output}\n`);
}

function oneOf<T extends string>(flag: string, value: string | undefined, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new UserError(`${flag}: expected ${allowed.join(', ')}, got "${value}"`, EXIT_USAGE);
  return found;
}

async function withStore<T>(options: Options, make: boolean, use: (store: UserStore) => Promise<T>): Promise<T> {
  const { data } = options;
  if (!make && !UserStore.exists(data)) {
    throw new UserError(
      `no users in ${data}: name the data directory with --data, or add a user with "aorta user add"`,
    );
  }
  actAsOwner(data);
  const isNew = !existsSync(data);
  const store = UserStore.open(data);
  try {
    return await use(store);
  } finally {
    await store.close();
    if (isNew) printError(`made the data directory ${data}\n`);
    const hint = isNew ? chownHint(data) : '';
    if (hint !== '') printError(`${hint}\n`);
  }
}

function tellUnserved({ data }: Options, domains: Iterable<string>): void {
  printError(unservedNote(readServed(data), domains));
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

function openInput(file: string): InputFile {
  try {
    return InputFile.open(file);
  } catch (error) {
    throw new UserError(`${file}: ${fileFault(error)}`);
  }
}

/** Waits while the reader of the output is slow. */
function write(text: string): Promise<void> | void {
  if (!print(text)) return new Promise((resolve) => process.stdout.once('drain', resolve));
}
