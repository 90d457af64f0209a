// Users in a SQL database, as Kamailio (here in PostgreSQL) and OpenSIPS (here in MariaDB) keep them: real servers that are slow, go away
// and come back, and odd names.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SUBSCRIBER_QUERY } from '../../src/server/users/sql/sql-query.ts';
import { sqlSource } from '../../src/server/users/sql/sql-source.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { Database } from '../support/databases.ts';
import { configFile, logIn, type Registrant } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';
import { type Answer, bindings, headers, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const REALM = 'example.com';
const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex');
const ha1 = (user: string, algorithm = 'md5', realm = REALM) => hex(algorithm, `${user}:${realm}:secret`);

// As Kamailio 5.6's postgres/auth_db-create.sql has it.
const KAMAILIO = `
CREATE TABLE subscriber (
    id SERIAL PRIMARY KEY NOT NULL,
    username VARCHAR(64) DEFAULT '' NOT NULL,
    domain VARCHAR(64) DEFAULT '' NOT NULL,
    password VARCHAR(64) DEFAULT '' NOT NULL,
    ha1 VARCHAR(128) DEFAULT '' NOT NULL,
    ha1b VARCHAR(128) DEFAULT '' NOT NULL,
    CONSTRAINT subscriber_account_idx UNIQUE (username, domain)
);
CREATE INDEX subscriber_username_idx ON subscriber (username);`;
// As OpenSIPS 3.4's mysql/auth_db-create.sql has it.
const OPENSIPS = `
CREATE TABLE subscriber (
    id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
    username CHAR(64) DEFAULT '' NOT NULL,
    domain CHAR(64) DEFAULT '' NOT NULL,
    password CHAR(25) DEFAULT '' NOT NULL,
    ha1 CHAR(64) DEFAULT '' NOT NULL,
    ha1_sha256 CHAR(64) DEFAULT '' NOT NULL,
    ha1_sha512t256 CHAR(64) DEFAULT '' NOT NULL,
    CONSTRAINT account_idx UNIQUE (username, domain)
) ENGINE=InnoDB;
CREATE INDEX username_idx ON subscriber (username);`;

interface Server {
  readonly kind: 'postgresql' | 'mariadb';
  readonly command: string;
  readonly tables: string;
}

const SERVERS: Server[] = [
  { kind: 'postgresql', command: 'pg_ctlcluster', tables: KAMAILIO },
  { kind: 'mariadb', command: 'mariadbd', tables: OPENSIPS },
];

afterAll(async () => {
  await killAll();
  removeDirectories();
});

for (const { kind, command, tables } of SERVERS) {
  describe.skipIf(peerMissing(command))(`users in ${kind}`, () => {
    let database: Database;
    let aorta: Aorta;
    let phone: SipClient;
    /** Over a connection nothing is repeated, and so everything answered. */
    let stream: StreamClient;

    beforeAll(async () => {
      database = await Database.start(kind, tables);
      await insert({ username: 'clear', password: 'secret' });
      aorta = await serve(`ca: ${database.certificate}`, 'tls: verify');
      phone = await SipClient.open(aorta);
      stream = await StreamClient.tcp(aorta);
    });
    afterAll(async () => {
      await aorta?.stop();
      await database?.stop();
    });

    function serve(...keys: string[]): Promise<Aorta> {
      const file = configFile(
        'auth:',
        '  mode: digest',
        '  algorithms: [SHA-256, MD5]',
        '  provider:',
        '    sql:',
        `      url: ${database.url}`,
        '      timeout-ms: 5000',
        '      negative-ttl-s: 1',
        '      failures: 2',
        '      open-ms: 300',
        ...keys.map((key) => `      ${key}`),
      );
      return Aorta.start({ transports: ['udp', 'tcp'], flags: ['--config', file] });
    }

    const insert = (...rows: Record<string, string>[]) =>
      database.sql(
        rows
          .map((row) => {
            const values = Object.values({ domain: REALM, ...row }).map((value) => `'${value.replaceAll("'", "''")}'`);
            return `INSERT INTO subscriber (${Object.keys({ domain: REALM, ...row })}) VALUES (${values});`;
          })
          .join('\n'),
      );

    function register(
      user: string,
      login: Parameters<typeof logIn>[2] = {},
      client: Registrant = phone,
    ): Promise<Answer> {
      const contacts = [`<sip:${newToken()}@127.0.0.1:1>`];
      return logIn(client, { aor: `${user}@${REALM}`, contacts }, { username: user, ...login });
    }
    const status = async (...args: Parameters<typeof register>) => (await register(...args)).status;

    it('log in by a password or an HA1; empty columns count for nothing', async () => {
      await insert(
        { username: 'hashed', ha1: ha1('hashed') },
        { username: 'both', ha1: ha1('both'), password: 'secret' },
        { username: 'other', ha1: ha1('other'), password: '*' },
        { username: 'trunk' },
      );
      expect(await status('clear')).toBe(200);
      expect(await status('clear', { algorithm: 'SHA-256' })).toBe(200);
      expect(await status('clear', { password: 'guessed' })).toBe(401);
      expect(await status('hashed')).toBe(200);
      expect(await status('hashed', { algorithm: 'SHA-256' })).toBe(401); // there is no such HA1
      expect(await status('both', { algorithm: 'SHA-256' })).toBe(200);
      expect(await status('other')).toBe(200);
      expect(await status('other', { password: '*', algorithm: 'SHA-256' })).toBe(401);
      expect(await status('trunk', { password: '' })).toBe(401);
      expect(await status('nobody')).toBe(401);
    });

    it('log in by the columns that the table has for other algorithms and names', async () => {
      if (kind === 'mariadb') {
        await insert({
          username: 'wide',
          ha1_sha256: ha1('wide', 'sha256'),
          ha1_sha512t256: ha1('wide', 'sha512-256'),
        });
        expect(await status('wide', { algorithm: 'SHA-256' })).toBe(200);
      } else {
        // Kamailio with SHA-256 as its algorithm has such HA1s in the same columns.
        await insert({ username: 'wide', ha1: ha1('wide', 'sha256'), ha1b: ha1('wide@example.com', 'sha256') });
        expect(await status('wide', { algorithm: 'SHA-256' })).toBe(200);
        await insert({ username: 'full', ha1: ha1('full'), ha1b: ha1('full@example.com') });
        expect(await status('full', { username: 'full@example.com' })).toBe(200);
      }
    });

    it.each([
      "x' OR '1'='1",
      'x"; DROP TABLE subscriber; --',
      'x\\',
      '%',
      'clear\\0',
      'zażółć 😀',
      '$1 ? {user}',
      'CLEAR',
      'clear ',
      'cléar',
      'x'.repeat(256),
    ])('are not found by %j', async (name) => {
      const username = Buffer.from(name).toString('latin1'); // the bytes of UTF-8
      expect(await status('clear', { username })).toBe(401);
      expect(await status('clear')).toBe(200);
    });

    it('are found by odd names that they have', async () => {
      const names = ["o'neil", 'back\\slash', 'per%cent', 'curly{user}'];
      await database.sql(
        names
          .map((name) => {
            const text = name.replaceAll("'", "''").replaceAll('\\', kind === 'mariadb' ? '\\\\' : '\\');
            return `INSERT INTO subscriber (username, domain, ha1) VALUES ('${text}', '${REALM}', '${ha1(name)}');`;
          })
          .join('\n'),
      );
      for (const name of names) {
        // Another's AOR, which it may not register: 403 says that the password was right.
        expect([name, await status('clear', { username: name })]).toEqual([name, 403]);
      }
    });

    it('draw 503 while the database hangs, others of whom something is known are served', async () => {
      await insert({ username: 'late', password: 'secret' });
      const unlock = await database.lock();
      const answer = await register('late', {}, stream);
      expect([answer.status, headers(answer.text, 'Retry-After').length]).toEqual([503, 1]);
      expect(await status('clear')).toBe(200);
      await unlock();
      await poll('the user', 10_000, async () => ((await status('late')) === 200 ? true : undefined), 200);
    });

    it('are there again after a restart of the database, without a failure in between', async () => {
      await insert({ username: 'after', password: 'secret' }, { username: 'later', password: 'secret' });
      const failures = aorta.stderr.split('is left alone').length;
      await database.restart();
      expect(await status('after')).toBe(200);
      expect(aorta.stderr.split('is left alone').length).toBe(failures);
      await database.stop();
      expect(await status('clear')).toBe(200);
      expect(await status('later', {}, stream)).toBe(503);
      await database.restart();
      await poll('the user', 10_000, async () => ((await status('later')) === 200 ? true : undefined), 200);
    });

    it('come by a query of the operator’s own, with AORs and rules; two rows for one are none', async () => {
      await database.sql(`
        CREATE TABLE people (login VARCHAR(64), pw VARCHAR(64), numbers VARCHAR(200), rules VARCHAR(200));
        INSERT INTO people VALUES ('kim', 'secret', 'desk@example.com, sip:hall@example.com', '{"max-expires": "2m"}');
        INSERT INTO people VALUES ('twin', 'secret', NULL, NULL), ('twin', 'other', NULL, NULL);
        INSERT INTO people VALUES ('odd', 'secret', NULL, '{"max-expire": 5}');
        GRANT SELECT ON people TO aorta${kind === 'mariadb' ? "@'%'" : ''};`);
      const columns = 'login AS username, pw AS password, numbers AS aors, rules AS policy';
      const own = await serve('tls: off', `query: SELECT ${columns} FROM people WHERE login = {user};`);
      const client = await SipClient.open(own);
      const granted = await register('kim', {}, client);
      expect([granted.status, ...bindings(granted).values()]).toEqual([200, 120]);
      expect(await status('desk', { username: 'kim' }, client)).toBe(200);
      expect(await status('hall', { username: 'kim' }, client)).toBe(200);
      expect(await status('roof', { username: 'kim' }, client)).toBe(403);
      const connection = await StreamClient.tcp(own);
      for (const user of ['twin', 'odd']) expect(await status(user, {}, connection)).toBe(503);
      await poll('both in the log', 10_000, () => own.stderr.match(/makes no sense/g)?.length === 2 || undefined);
      expect(own.stderr).toContain('there are 2 rows for the user');
      expect(own.stderr).not.toContain('is left alone');
      await own.stop();
    });

    it('are kept out, with the reason in the log, where the server’s certificate is not trusted', async () => {
      const own = await serve('tls: verify');
      const client = await StreamClient.tcp(own);
      expect([await status('clear', {}, client), await status('clear', {}, client)]).toEqual([503, 503]);
      await own.child.until(/self.signed certificate/, 10_000);
      await own.stop();
    });

    it('are asked of the server that the URL names: for an IP address its certificate must have that', async () => {
      const find = async (url: string) => {
        const source = await sqlSource({ url, query: SUBSCRIBER_QUERY, tls: 'verify', ca: database.certificate }, 5000);
        const user = { name: 'clear', realm: REALM };
        return source.find(user, AbortSignal.timeout(10_000)).finally(() => source.close?.());
      };
      try {
        await database.certify('DNS:localhost');
        await expect(find(database.url)).rejects.toThrow('127.0.0.1');
        expect(await find(database.url.replace('127.0.0.1', 'localhost'))).not.toBeNull();
      } finally {
        await database.certify();
      }
      expect(await find(database.url)).not.toBeNull();
    });

    it('are asked for over a Unix socket, too; a query that is wrong is a failure with its reason', async () => {
      const find = async (query: string) => {
        const source = await sqlSource({ url: database.socketUrl, query }, 5000);
        const user = { name: 'clear', realm: REALM };
        return source.find(user, AbortSignal.timeout(10_000)).finally(() => source.close?.());
      };
      expect((await find(SUBSCRIBER_QUERY))?.ha1s[0]?.toString('hex')).toBe(ha1('clear'));
      await expect(find('SELECT nothing FROM subscriber WHERE username = {user}')).rejects.toThrow('nothing');
      await expect(find('SELECT * FROM passwords WHERE username = {user}')).rejects.toThrow('passwords');
      expect(await find('SELECT * FROM subscriber WHERE id = {user}')).toBeNull(); // no number
    });

    // The example has PostgreSQL.
    if (kind === 'postgresql')
      it('come as the documentation’s example has it, with the password in a file', async () => {
        const file = join(temporaryDirectory(), 'password');
        writeFileSync(file, `${database.passwords[0]}\n`);
        const example = documentedExample()
          .replace('postgresql://aorta@db.example.com/kamailio', database.url.replace(/:[^:@]*@/, '@'))
          .replace('/etc/aorta/db-password', file)
          .replace('/etc/aorta/db-ca.pem', database.certificate);
        const own = await Aorta.start({ flags: ['--config', configFile(example)] });
        const client = await SipClient.open(own);
        expect(await status('clear', {}, client)).toBe(200);
        await own.stop();
      });

    it('never show the password of the database', async () => {
      const config = configFile('auth:', '  provider:', '    sql:', `      url: ${database.url}`);
      const shown = await run(process.execPath, [CLI, 'config', config], 20_000);
      expect([shown.exit.code, shown.stderr]).toEqual([0, '']);
      expect(shown.stdout).toContain(database.url.replace(/:[^:@]*@/, ':(hidden)@'));
      const wrong = configFile('auth:', '  provider:', '    sql:', `      url: ${database.url}/x`);
      const refused = await run(process.execPath, [CLI, 'check', wrong], 20_000);
      expect([refused.exit.code, refused.stderr]).toEqual([2, expect.stringContaining('auth.provider.sql.url')]);
      for (const text of [shown.stdout, refused.stdout, refused.stderr, aorta.stdout, aorta.stderr])
        for (const password of database.passwords) expect(text).not.toContain(password);
    });
  });
}

/** The configuration in the section of docs/operating.md. */
function documentedExample(): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
  return /### Users in a SQL database[\s\S]*?```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
}
