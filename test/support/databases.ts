// Real database servers for tests: PostgreSQL and MariaDB, in a directory of their own, as a user without rights, on loopback, with TLS.

import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';
import { selfSigned } from './certificate.ts';
import { Child, poll, run, which } from './child-process.ts';
import { freePort } from './free-ports.ts';

const READY_MS = 30_000;
const STOP_MS = 20_000;
/** Both refuse to run as root. */
const NOBODY = 65_534;
const PASSWORD = 'p@ss/w:rd';

interface Dialect {
  readonly scheme: string;
  /** Makes the server's files below `directory`. */
  readonly install: (directory: string) => readonly string[];
  readonly serve: (directory: string, port: number) => readonly string[];
  /** A client that reads SQL from its input, with all rights, in a database. */
  readonly client: (directory: string, port: number, database: string) => readonly string[];
  readonly makeUser: string;
  readonly grant: string;
  readonly lock: string;
}

const POSTGRESQL: Dialect = {
  scheme: 'postgresql',
  install: (directory) => [
    ...[program('initdb'), '--pgdata', join(directory, 'data'), '--username', 'root', '--no-sync', '--no-instructions'],
    ...['--encoding', 'UTF8', '--locale', 'C', '--auth-local', 'trust', '--auth-host', 'scram-sha-256'],
  ],
  serve: (directory, port) => [
    ...[
      program('postgres'),
      '-D',
      join(directory, 'data'),
      '-p',
      String(port),
      '-h',
      '127.0.0.1',
      '-k',
      directory,
      '-F',
    ],
    ...['ssl=on', `ssl_cert_file=${directory}/cert.pem`, `ssl_key_file=${directory}/key.pem`].flatMap((set) => [
      '-c',
      set,
    ]),
  ],
  client: (directory, port, database) => [
    ...['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'],
    ...['-h', directory, '-p', String(port), '-U', 'root', database],
  ],
  makeUser: `CREATE ROLE aorta LOGIN PASSWORD '${PASSWORD}';`,
  grant: 'GRANT SELECT ON subscriber TO aorta;',
  lock: 'BEGIN; LOCK TABLE subscriber IN ACCESS EXCLUSIVE MODE;',
};

const MARIADB: Dialect = {
  scheme: 'mariadb',
  install: (directory) => [
    ...[program('mariadb-install-db'), '--no-defaults', `--datadir=${directory}/data`, '--skip-test-db'],
    '--auth-root-authentication-method=normal',
  ],
  serve: (directory, port) => [
    ...[program('mariadbd'), '--no-defaults', `--datadir=${directory}/data`, `--socket=${directory}/socket`],
    ...['--bind-address=127.0.0.1', `--port=${port}`, '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=0'],
    ...[`--pid-file=${directory}/pid`, `--ssl-cert=${directory}/cert.pem`, `--ssl-key=${directory}/key.pem`],
  ],
  client: (directory, _, database) => [
    ...[
      'mariadb',
      '--no-defaults',
      '--batch',
      '--skip-column-names',
      '--unbuffered',
      '--default-character-set=utf8mb4',
    ],
    ...[`--socket=${directory}/socket`, '--user=root', database],
  ],
  makeUser: `CREATE USER aorta@'%' IDENTIFIED BY '${PASSWORD}';`,
  grant: "GRANT SELECT ON subscriber TO aorta@'%';",
  lock: 'LOCK TABLES subscriber WRITE;',
};

/** On Debian PostgreSQL's programs stand in a directory of its version. */
function program(name: string): string {
  const versions = '/usr/lib/postgresql';
  const places = existsSync(versions)
    ? readdirSync(versions).map((version) => join(versions, version, 'bin', name))
    : [];
  return which(name) ?? places.find((place) => existsSync(place)) ?? name;
}

export class Database {
  readonly port: number;
  /** Certificate of the server, which has signed itself. */
  readonly certificate: string;
  private readonly directory: string;
  private readonly dialect: Dialect;
  private server: Child | undefined;

  private constructor(dialect: Dialect, directory: string, port: number) {
    this.dialect = dialect;
    this.directory = directory;
    this.port = port;
    this.certificate = join(directory, 'cert.pem');
  }

  /** A server with a database `sip`, in which `tables` are made, and a user that may read `subscriber`. */
  static async start(kind: 'postgresql' | 'mariadb', tables: string): Promise<Database> {
    const dialect = kind === 'postgresql' ? POSTGRESQL : MARIADB;
    const database = new Database(dialect, ownedDirectory(), await freePort());
    const installed = await run(...unprivileged(dialect.install(database.directory)), READY_MS);
    if (installed.exit.code !== 0) throw new Error(installed.output());
    await database.restart();
    const isMariadb = kind === 'mariadb';
    const first = isMariadb ? 'mysql' : 'postgres';
    await database.sql(`CREATE DATABASE sip${isMariadb ? ' CHARACTER SET latin1' : ''};`, first);
    await database.sql(dialect.makeUser, first);
    await database.sql(`${tables}\n${dialect.grant}`);
    return database;
  }

  /** For `auth.provider.sql.url`, with the password in it. */
  get url(): string {
    return `${this.dialect.scheme}://aorta:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/sip`;
  }

  /** The same by its Unix socket, of PostgreSQL the directory that it is in. */
  get socketUrl(): string {
    const socket = this.dialect === POSTGRESQL ? this.directory : join(this.directory, 'socket');
    return `${this.url.replace('127.0.0.1', 'localhost')}?socket=${socket}`;
  }

  /** Neither as it is nor as it stands in the URL may it ever be shown. */
  get passwords(): string[] {
    return [PASSWORD, encodeURIComponent(PASSWORD)];
  }

  async sql(text: string, database = 'sip'): Promise<string> {
    const client = this.client(database);
    client.process.stdin?.end(text);
    if ((await client.end(READY_MS)).code !== 0) throw new Error(client.output());
    return client.stdout;
  }

  /** Whoever reads the table waits, until the function returned is called. */
  async lock(): Promise<() => Promise<void>> {
    const client = this.client('sip');
    client.write(`${this.dialect.lock}\nSELECT 'locked';\n`);
    await client.until(/locked/, READY_MS);
    return async () => {
      client.process.stdin?.end();
      await client.end(READY_MS);
    };
  }

  /** Ends every connection, as a shutdown does. */
  async stop(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    server.signal(this.dialect === POSTGRESQL ? 'SIGINT' : 'SIGTERM');
    await server.end(STOP_MS);
  }

  /** Starts it anew with another certificate. @param names as selfSigned's */
  async certify(names?: string): Promise<void> {
    giveCertificate(this.directory, names);
    await this.restart();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.server = new Child(...unprivileged(this.dialect.serve(this.directory, this.port)), { cwd: this.directory });
    const first = this.dialect === POSTGRESQL ? 'postgres' : 'mysql';
    await poll('the database', READY_MS, async () => {
      if (this.server?.exit) throw new Error(this.server.output());
      return this.sql('SELECT 1;', first).then(
        () => true,
        () => undefined,
      );
    });
  }

  private client(database: string): Child {
    const [command, ...args] = this.dialect.client(this.directory, this.port, database);
    return new Child(command, args);
  }
}

function ownedDirectory(): string {
  const directory = temporaryDirectory();
  giveCertificate(directory);
  mkdirSync(join(directory, 'data'), { mode: 0o700 });
  if (process.getuid?.() !== 0) return directory;
  for (const name of ['', 'data']) chownSync(join(directory, name), NOBODY, NOBODY);
  return directory;
}

function giveCertificate(directory: string, names?: string): void {
  const { certFile, keyFile } = selfSigned(undefined, undefined, names);
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  copyFileSync(certFile, cert);
  copyFileSync(keyFile, key);
  chmodSync(key, 0o600);
  if (process.getuid?.() === 0) for (const file of [cert, key]) chownSync(file, NOBODY, NOBODY);
}

function unprivileged([command, ...args]: readonly string[]): [string, readonly string[]] {
  if (process.getuid?.() !== 0) return [command, args];
  return ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', command, ...args]];
}
