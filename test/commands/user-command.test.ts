// `aorta user` as a person meets it, over processes: passwords by standard input, other processes on the same store.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserStore } from '../../src/users/user-store.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, type Exit, killAll, which } from '../support/child-process.ts';
import { patience } from '../support/patience.ts';
import { fillDisk, mountSmallDisk, unmount } from '../support/small-disk.ts';

const IMPORT_MS = 60_000;
const md5 = (text: string) => createHash('md5').update(text).digest('hex');

afterAll(async () => {
  await killAll();
  removeDirectories();
});

async function user(data: string, args: readonly string[], input = ''): Promise<Child & { exit: Exit }> {
  const child = new Child(process.execPath, [CLI, 'user', ...args, '--data', data]);
  child.process.stdin?.end(input);
  return Object.assign(child, { exit: await child.end(IMPORT_MS) });
}

function bytesOf(directory: string): Buffer {
  return Buffer.concat(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  );
}

const disk = mountSmallDisk('16m');
afterAll(() => {
  if (typeof disk === 'string') unmount(disk);
});
const fullTitle = typeof disk === 'string' ? 'on a full disk' : `on a full disk, skipped: ${disk.reason}`;

describe.skipIf(typeof disk !== 'string')(fullTitle, () => {
  it('says so in one line, changes nothing, and still lists the users', async () => {
    const [data, file] = [join(String(disk), 'data'), join(String(disk), 'users.csv')];
    await user(data, ['add', 'alice@example.com'], 'one\n');
    writeFileSync(file, 'username,domain,password\nbob,example.com,x\n');
    fillDisk(join(String(disk), 'ballast'));
    for (const words of [
      ['add', 'carol@example.com'],
      ['passwd', 'alice@example.com'],
      ['policy', 'alice@example.com', 'max-expires=10m'],
      ['rm', 'alice@example.com'],
      ['import', file],
    ]) {
      const { exit, stdout, stderr } = await user(data, words, 'two\n');
      expect([exit.code, stdout, stderr], words.join(' ')).toEqual([1, '', `aorta: ${data}/users: the disk is full\n`]);
    }
    const copy = join(String(disk), 'copy.csv');
    const { exit, stderr } = await user(data, ['export', '--out', copy]);
    expect([exit.code, stderr, existsSync(copy)]).toEqual([1, `aorta: ${copy}: the disk is full\n`, false]);
    const { stdout } = await user(data, ['export']);
    expect([stdout.split('\n').length, stdout]).toEqual([3, expect.stringContaining(md5('alice:example.com:one'))]);
  });
});

describe('a file of users', () => {
  it('tells of a user that stands twice in one file, and takes the first', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'users.csv');
    writeFileSync(file, 'username,domain,password\nalice,example.com,one\nbob,example.com,x\nalice,Example.com,two\n');
    const done = await user(data, ['import', file]);
    expect([done.exit.code, done.stderr]).toEqual([
      1,
      `${file}:4: skipped: alice@example.com stands in line 2 already, which counts\n`,
    ]);
    expect((await user(data, ['export'])).stdout).toContain(md5('alice:example.com:one'));
  });

  it('refuses bytes that are no UTF-8 with their line, and reads the encoding that is named', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'users.csv');
    writeFileSync(
      file,
      Buffer.from('username;domain;password\nalice;example.com;x\nm\u00fcller;example.com;gr\u00fcn\n', 'latin1'),
    );
    const refused = await user(data, ['import', file]);
    expect([refused.exit.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^aorta: line 3: byte 0xfc is not UTF-8/),
    ]);
    expect((await user(data, ['ls'])).stdout).toBe('');
    const wrong = await user(data, ['import', file, '--encoding', 'latin']);
    expect([wrong.exit.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean "latin1"?')]);
    expect((await user(data, ['import', file, '--encoding', 'latin1'])).exit.code).toBe(0);
    expect(Buffer.from((await user(data, ['export'])).stdout, 'latin1').toString()).toContain(
      `m\u00fcller,example.com,${md5('m\u00fcller:example.com:gr\u00fcn')}`,
    );
    // A character on the border between two pieces that are read is whole.
    writeFileSync(file, `username,domain,password\n${'# \u20ac,example.com,x\n'.repeat(8000)}`);
    expect((await user(data, ['import', file])).stderr).not.toContain('UTF-8');
  });
});

describe('aorta user', () => {
  let shared: string | undefined;
  /** A data directory with one user, for commands that change nothing. */
  const withUser = async () => {
    if (shared === undefined) {
      shared = temporaryDirectory();
      await user(shared, ['add', 'there@example.com'], 'x\n');
    }
    return shared;
  };

  it('prints help with every verb and with examples', async () => {
    const { stdout, exit } = await user('.', ['--help']);
    expect(exit.code).toBe(0);
    for (const verb of ['add', 'passwd', 'rm', 'ls', 'import', 'export']) expect(stdout).toContain(`  ${verb} `);
    expect(stdout).toContain('aorta user add alice@example.com');
  });

  it('R7616-3.6-01 adds a user from standard input: HA1s are kept, the password nowhere', async () => {
    const data = temporaryDirectory();
    const added = await user(
      data,
      ['add', 'alice@Example.com', '--aor', 'sip:bob@EXAMPLE.com'],
      'wonder-land-7\nmore\n',
    );
    expect(added.stderr).toBe('');
    expect(added.stdout).toBe('added alice@example.com: may register alice@example.com and bob@example.com\n');
    const csv = (await user(data, ['export'])).stdout;
    expect(csv).toContain(`alice,example.com,${md5('alice:example.com:wonder-land-7')}`);
    const hash = (name: string, text: string) => createHash(name).update(text).digest('hex');
    expect(csv).toContain(hash('sha256', 'alice:example.com:wonder-land-7'));
    expect(csv).toContain(hash('sha512-256', 'alice:example.com:wonder-land-7'));
    expect(bytesOf(data).includes('wonder-land-7')).toBe(false);
    const mode = statSync(join(data, 'users')).mode & 0o777;
    expect([mode, statSync(join(data, 'users', 'data.mdb')).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it('changes and removes users, and never lists HA1s', async () => {
    const data = temporaryDirectory();
    await user(data, ['add', 'alice@example.com', '--aor', 'desk@example.com'], 'one\n');
    expect((await user(data, ['passwd', 'alice@example.com'], 'two\n')).exit.code).toBe(0);
    expect((await user(data, ['export'])).stdout).toContain(
      `alice,example.com,${md5('alice:example.com:two')},${md5('alice@example.com:example.com:two')}`,
    );
    const listed = JSON.parse((await user(data, ['ls', '--json'])).stdout);
    expect(listed).toEqual({
      user: 'alice',
      domain: 'example.com',
      algorithms: ['MD5', 'SHA-256', 'SHA-512-256'],
      aors: ['desk@example.com'],
    });
    expect((await user(data, ['rm', 'alice@example.com'])).exit.code).toBe(0);
    expect((await user(data, ['ls'])).stdout).toBe('');
  });

  it.each([
    [['add', 'alice'], 'x', 2, 'expected a user with its domain, such as alice@example.com, got "alice"'],
    [['add', 'a:b@example.com'], 'x', 2, 'the name has a colon in it'],
    [['add', 'alice@example.com', '--aor', 'nobody'], 'x', 2, '--aor: expected an address such as bob@example.com'],
    [['add', 'alice@example.com'], '', 1, 'the password is empty'],
    [['add', 'there@example.com'], 'x', 1, '"aorta user passwd there@example.com" changes its password'],
    [['passwd', 'alice@example.com'], 'x', 1, 'alice@example.com is no user in'],
    [['rm', 'alice@example.com'], '', 1, '"aorta user ls'],
    [['add', 'alice@example.com', 'password'], '', 2, 'too many arguments'],
    [['import', 'no-such.csv'], '', 1, 'no-such.csv: no such file'],
  ])('says in one line what is wrong and what to do: %j', async (args, input, code, message) => {
    const ended = await user(await withUser(), args, input);
    expect(ended.stderr).toContain(`aorta: `);
    expect(ended.stderr).toContain(message);
    expect([ended.exit.code, ended.stderr.trim().split('\n').length]).toEqual([code, 1]);
  });

  it('asks twice on a terminal and shows nothing of what is typed', async () => {
    const script = which('script');
    if (script === undefined) return console.log('skipped: there is no script(1) here to make a terminal');
    const data = temporaryDirectory();
    for (const [second, code] of [
      ['swordfish', 0],
      ['sword', 1],
    ] as const) {
      const command = `'${process.execPath}' '${CLI}' user add u${code}@example.com --data '${data}'`;
      const child = new Child(script, ['-qec', command, '/dev/null']);
      await child.until(/Password for u/, 10_000);
      child.write('swordfisj\u007fh\r');
      await child.until(/The same again/, 10_000);
      child.write(`${second}\r`);
      expect((await child.end(10_000)).code).toBe(code);
      expect(child.stdout).not.toContain('swordf');
    }
    expect((await user(data, ['export'])).stdout).toContain(`u0,example.com,${md5('u0:example.com:swordfish')}`);
  });
});

describe('aorta user import', () => {
  it('takes 100,000 users within seconds, names the rows it skips, and exits 1 for them', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'users.csv');
    const rows = Array.from({ length: 100_000 }, (_, i) => `user${i},example.org,secret-${i}`);
    rows.splice(
      50_000,
      0,
      'colon:name,example.org,s3cret',
      ',example.org,s3cret',
      'short,example.org',
      'bad"quote,x,s3cret',
    );
    writeFileSync(file, `username,domain,password\n${rows.join('\n')}\n`);
    const began = performance.now();
    const ended = await user(data, ['import', file]);
    const seconds = (performance.now() - began) / 1000;
    expect(ended.stdout).toMatch(/^added 100000, replaced 0, skipped 4 in /);
    expect(ended.exit.code).toBe(1);
    const reasons = ended.stderr.trim().split('\n').sort();
    expect(reasons).toEqual([
      `${file}:50002: skipped: the name has a colon in it, which digest authentication cannot take`,
      `${file}:50003: skipped: the user has no name`,
      `${file}:50004: skipped: 2 fields, expected 3`,
      `${file}:50005: skipped: a quote inside a field: put the field in quotes and double the quote`,
    ]);
    expect(ended.stderr).not.toContain('s3cret');
    expect(seconds).toBeLessThan(40 * patience());
    const store = UserStore.open(data);
    expect(store.count).toBe(100_000);
    expect(store.get({ name: 'user77777', realm: 'example.org' })?.ha1s[0]?.toString('hex')).toBe(
      md5('user77777:example.org:secret-77777'),
    );
    expect(bytesOf(join(data, 'users')).includes('secret-')).toBe(false);
    await store.close();
  });

  it('gives back what export wrote', async () => {
    const [data, other] = [temporaryDirectory(), temporaryDirectory()];
    await user(data, ['add', 'alice@example.com', '--aor', 'a@example.com', '--aor', 'b@example.com'], 'pw\n');
    await user(data, ['add', 'we"ird, one@example.com'], 'pw\n');
    await user(data, ['policy', 'alice@example.com', 'max-expires=10m', 'transports=[tls, wss]']);
    const file = join(other, 'backup.csv');
    expect((await user(data, ['export', '--output', file])).stdout).toContain('wrote 2 users');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await user(data, ['export', '--out', file])).stderr).toContain('is there already');
    expect((await user(other, ['import', file])).stdout).toMatch(/^added 2, replaced 0, skipped 0/);
    expect((await user(other, ['export'])).stdout).toBe((await user(data, ['export'])).stdout);
    const rules = JSON.parse((await user(other, ['policy', 'alice@example.com', '--json'])).stdout);
    expect(rules).toEqual({ 'max-expires': 600, transports: ['tls', 'wss'] });
  });

  it('gives users back as rows of subscriber, for another registrar', async () => {
    const [data, other] = [temporaryDirectory(), temporaryDirectory()];
    await user(data, ['add', "o'neil@example.com"], 'pw\n');
    for (const format of ['kamailio', 'opensips']) {
      const file = join(other, `${format}.sql`);
      await user(data, ['export', '--format', format, '--output', file]);
      expect(readFileSync(file, 'utf8')).toMatch(
        /^START TRANSACTION;\nINSERT INTO subscriber \(username,domain,password,ha1,.*'o''neil'/,
      );
      expect((await user(other, ['import', file])).stdout).toMatch(/ skipped 0 /);
      const csv = (await user(other, ['export'])).stdout;
      expect(csv).toContain(`o'neil,example.com,${md5("o'neil:example.com:pw")},`);
    }
    expect((await user(data, ['export', '--format', 'kamailio', '--database', 'oracle'])).exit.code).toBe(2);
  });

  it('skips a row with rules that make no sense', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'odd.csv');
    writeFileSync(
      file,
      'username,domain,password,policy\na,example.com,pw,{}\nb,example.com,pw,"{""max-expires"":""soon""}"\nc,example.com,pw,x\n',
    );
    const { stdout, stderr } = await user(data, ['import', file]);
    expect(stdout).toMatch(/^added 1, replaced 0, skipped 2/);
    expect(stderr).toMatch(/:3: skipped: max-expires: .*\n.*:4: skipped: policy is not JSON/);
  });

  it("reads Kamailio's subscriber table as CSV: ha1b is for the username with its domain", async () => {
    const data = temporaryDirectory();
    const file = join(data, 'subscriber.csv');
    const ha1 = md5('carol:kam.example:pw');
    const ha1b = md5('carol@kam.example:kam.example:pw');
    writeFileSync(
      file,
      `"id","username","domain","password","ha1","ha1b"\n1,"carol","kam.example","",${ha1},${ha1b}\n` +
        `2,"dave","kam.example","pw",${md5('dave:kam.example:pw')},x\n3,erin,kam.example,pw,zz,\n4,frank,,pw,,\n` +
        `5,gina,Kam.example,,${ha1},\n`,
    );
    const ended = await user(data, ['import', file]);
    expect(ended.stderr.trim().split('\n')).toEqual([
      `${file}:3: skipped: ha1b is not 32 hex digits`,
      `${file}:4: skipped: ha1 is not 32 hex digits`,
      `${file}:5: skipped: no domain: name one for such rows with --domain`,
      `${file}:6: skipped: the domain Kam.example has capitals: its HA1s hold for that spelling only, not for kam.example`,
    ]);
    expect((await user(data, ['export'])).stdout.split('\n')[1]).toBe(`carol,kam.example,${ha1},${ha1b},,,,,,`);
  });

  it('reads a dump in SQL, with and without names of columns', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'subscriber.sql');
    writeFileSync(
      file,
      `-- MySQL dump 10.13; of 'kamailio'
/*!40101 SET NAMES utf8 */;
CREATE TABLE \`subscriber\` (
  \`id\` int(10) unsigned NOT NULL AUTO_INCREMENT,
  \`username\` varchar(64) NOT NULL DEFAULT '',
  \`domain\` varchar(64) NOT NULL DEFAULT 'a,b)',
  \`password\` varchar(64) NOT NULL DEFAULT '',
  \`ha1\` varchar(128) NOT NULL DEFAULT '',
  PRIMARY KEY (\`id\`),
  UNIQUE KEY \`account_idx\` (\`username\`,\`domain\`)
) ENGINE=InnoDB;
INSERT INTO \`other\` VALUES ('username');
INSERT INTO \`subscriber\` VALUES (1,'o\\'brien','kam.example','semi;colon',''),
(2,'it''s','kam.example','',NULL),
(3,'greta','kam.example','','${md5('greta:kam.example:pw')}');
INSERT INTO subscriber (username, domain, password) VALUES ('heidi', 'kam.example', 'pw');
`,
    );
    const ended = await user(data, ['import', file]);
    expect(ended.stderr).toBe(`${file}:14: skipped: neither a password nor an HA1\n`);
    const lines = (await user(data, ['export'])).stdout.split('\n').map((line) => line.split(',').slice(0, 3).join());
    expect(lines.slice(1, 4)).toEqual([
      `greta,kam.example,${md5('greta:kam.example:pw')}`,
      `heidi,kam.example,${md5('heidi:kam.example:pw')}`,
      `o'brien,kam.example,${md5("o'brien:kam.example:semi;colon")}`,
    ]);
  });

  it('knows the tables of Kamailio and OpenSIPS by their number of columns, where a dump has rows alone', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'subscriber.sql');
    const sha256 = createHash('sha256').update('carol:kam.example:pw').digest('hex');
    const ha1 = md5('alice:kam.example:pw');
    writeFileSync(
      file,
      `-- mysqldump --no-create-info
INSERT INTO \`subscriber\` VALUES (7,'alice','kam.example','','${ha1}','${md5('alice@kam.example:kam.example:pw')}'),
(8,'wide','kam.example','','${sha256}','');
INSERT INTO \`subscriber\` VALUES (1,'bob','kam.example','pw','','','');
INSERT INTO \`subscriber\` VALUES (1,'carol','kam.example','','carol@mail.example','','${sha256}','',NULL);
INSERT INTO \`subscriber\` VALUES (1,'dave','kam.example','pw','dave@mail.example','${md5('dave:kam.example:pw')}','','');
`,
    );
    const ended = await user(data, ['import', file]);
    expect([ended.stderr, ended.stdout]).toEqual(['', expect.stringMatching(/^added 5, replaced 0, skipped 0 in /)]);
    const [, alice, bob, carol, dave, wide] = (await user(data, ['export'])).stdout.split('\n');
    expect(alice).toContain(`alice,kam.example,${ha1},`);
    for (const [line, name] of [
      [bob, 'bob'],
      [dave, 'dave'],
    ])
      expect(line).toContain(`${name},kam.example,${md5(`${name}:kam.example:pw`)},`);
    expect([carol, wide]).toEqual([
      expect.stringMatching(`^carol,kam.example,,,${sha256},`),
      expect.stringMatching(`^wide,kam.example,,,${sha256},`),
    ]);

    writeFileSync(file, "INSERT INTO subscriber VALUES ('alice','pw');\n");
    expect((await user(data, ['import', file])).stderr).toContain('line 1: the INSERT names none of its 2 columns');
  });

  it('says in a dry run what it would do, with each fault, and writes nothing', async () => {
    const [data, nowhere] = [temporaryDirectory(), join(temporaryDirectory(), 'none')];
    await user(data, ['add', 'alice@example.com'], 'old\n');
    const file = join(temporaryDirectory(), 'users.csv');
    writeFileSync(file, 'username,domain,password\nalice,example.com,new\nbob,example.com,x\nc:d,example.com,x\n');
    const before = (await user(data, ['export'])).stdout;
    const fault = `${file}:4: skipped: the name has a colon in it, which digest authentication cannot take\n`;
    const told = async (directory: string) => {
      const { stdout, stderr, exit } = await user(directory, ['import', file, '--dry-run']);
      return [exit.code, stderr, stdout.replace(/ in .*/s, '')];
    };
    expect(await told(data)).toEqual([1, fault, 'would add 1, would replace 1, would skip 1']);
    expect((await user(data, ['export'])).stdout).toBe(before);
    expect(await told(nowhere)).toEqual([1, fault, 'would add 2, would replace 0, would skip 1']);
    expect(existsSync(nowhere)).toBe(false);
  });

  it('refuses a file that is no list of users', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'file');
    for (const [text, message] of [
      ['', 'the file is empty'],
      ['alice,example.com,pw\n', 'line 1 names no column "username"'],
      ['CREATE TABLE x (a int);\n', 'no "INSERT INTO subscriber"'],
    ]) {
      writeFileSync(file, text);
      const ended = await user(data, ['import', file]);
      expect([ended.exit.code, ended.stderr]).toEqual([1, expect.stringContaining(message)]);
    }
  });
});
