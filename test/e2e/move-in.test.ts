// Moving in: the location table that a real Kamailio has written, and its ul.dump, become Aorta's bindings.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const SCHEMA = '/usr/share/kamailio/db_sqlite';
const PATH = '<sip:edge.example.net;lr;ob>';
const INSTANCE = '<urn:uuid:00000000-0000-1000-8000-000000000001>';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

function importFile(file: string, data: string, ...flags: string[]) {
  return run('node', [CLI, 'location', 'import', file, '--data', data, ...flags], 20_000);
}

/** Contacts of an AOR as a server that has taken the data directory over answers them. */
async function contactsOf(aorta: Aorta, aor: string): Promise<string[]> {
  const client = await SipClient.open(aorta);
  const answer = await client.request(client.register({ aor, headers: ['Supported: path, gruu, outbound'] }));
  client.close();
  expect(answer.status).toBe(200);
  return answer.text.split('\r\n').filter((line) => /^(Contact|Path):/.test(line));
}

/** With the tables of Kamailio in it. */
async function newDatabase(directory: string): Promise<string> {
  const database = join(directory, 'kamailio.sqlite');
  for (const table of ['standard', 'usrloc']) {
    expect((await run('sqlite3', [database, `.read ${SCHEMA}/${table}-create.sql`], 10_000)).exit.code).toBe(0);
  }
  return database;
}

/** A registrar that has its location table in the database, and a client of it. */
async function startKamailio(
  directory: string,
  database: string,
): Promise<{ kamailio: Child; control: string; client: SipClient }> {
  const port = await freePort();
  const control = join(directory, 'ctl');
  const define = ['-A', `PORT=${port}`, '-A', `DB_URL="sqlite:///${database}"`, '-A', `CTL="unixs:${control}"`];
  const config = join(import.meta.dirname, 'kamailio/usrloc.cfg');
  const kamailio = new Child('kamailio', ['-DD', '-E', '-f', config, '-Y', directory, '-m', '64', ...define]);
  await poll('Kamailio', 10_000, () => {
    if (kamailio.exit) throw new Error(kamailio.output());
    return existsSync(control);
  });
  return { kamailio, control, client: await SipClient.open({ address: '127.0.0.1', port }) };
}

describe.skipIf(peerMissing('kamailio') || peerMissing('sqlite3'))('from Kamailio', () => {
  const directory = temporaryDirectory();
  const files = { sql: join(directory, 'location.sql'), dump: join(directory, 'dump.txt') };

  beforeAll(async () => {
    const database = await newDatabase(directory);
    const { kamailio, control, client } = await startKamailio(directory, database);
    const register = (user: string, contact: string, headers: string[] = []) =>
      client.register({ aor: `${user}@example.com`, expires: 600, contacts: [contact], headers, cseq: 7 });
    for (const message of [
      register('alice', '<sip:alice@192.0.2.1:5070>;q=0.5'),
      register('alice', '<sip:alice@192.0.2.2>'),
      register('bob', `<sip:bob@192.0.2.3>;+sip.instance="${INSTANCE}";reg-id=1`, [
        `Path: ${PATH}`,
        'Supported: path, outbound',
      ]),
      register('carol', '<sip:carol@192.0.2.4;transport=tcp>'),
    ]) {
      const answer = await client.request(message);
      expect(answer.status, answer.text).toBe(200);
    }
    client.close();
    writeFileSync(files.sql, (await run('sqlite3', [database, '.dump location'], 10_000)).stdout);
    writeFileSync(files.dump, (await run('kamcmd', ['-s', `unix:${control}`, 'ul.dump'], 10_000)).stdout);
    kamailio.killTree();
  });

  it.each(['sql', 'dump'] as const)(
    'takes over its bindings (%s), says what it leaves, and does so once',
    async (kind) => {
      const data = temporaryDirectory();
      const dry = await importFile(files[kind], data, '--dry-run');
      expect(dry.stdout).toMatch(/^would import 3, skipped 1 /);
      const first = await importFile(files[kind], data, '--shards', '2');
      expect(first.stdout, first.stderr).toMatch(/^imported 3, skipped 1 /);
      expect(first.stderr).toMatch(/:\d+: skipped: over tcp, and the connection stays where it was/);
      expect(first.exit.code, 'left out by rule').toBe(0);
      const second = await importFile(files[kind], data, '--strict');
      expect(second.exit.code).toBe(1);
      expect(second.stdout).toMatch(/^imported 0, skipped 4 /);
      expect(second.stderr).toContain('there already');

      const aorta = await Aorta.start({ data });
      const alice = (await contactsOf(aorta, 'alice@example.com')).join('\n');
      expect(alice).toContain('<sip:alice@192.0.2.1:5070>;q=0.5;expires=');
      expect(alice).toContain('<sip:alice@192.0.2.2>;expires=');
      for (const [, seconds] of alice.matchAll(/;expires=(\d+)/g)) {
        expect(Number(seconds)).toBeGreaterThan(500);
        expect(Number(seconds)).toBeLessThanOrEqual(600);
      }
      const bob = (await contactsOf(aorta, 'bob@example.com')).join('\n');
      expect(bob).toContain('<sip:bob@192.0.2.3>');
      expect(bob).toContain(`+sip.instance="${INSTANCE}"`);
      expect(await contactsOf(aorta, 'carol@example.com')).toEqual([]);

      await aorta.stop();
    },
  );

  it('does not touch a data directory that is in use', async () => {
    const aorta = await Aorta.start();
    const refused = await importFile(files.sql, aorta.data);
    expect(refused.exit.code).toBe(1);
    expect(refused.stderr).toContain('is in use by process');
    await aorta.stop();
  });
});

describe('and out again', () => {
  let aorta: Aorta;
  const data = temporaryDirectory();

  const exported = (...flags: string[]) => run('node', [CLI, 'location', 'export', '--data', data, ...flags], 20_000);

  beforeAll(async () => {
    aorta = await Aorta.start({ data, shards: 2, flags: ['--admin', 'http:127.0.0.1:0'], transports: ['udp', 'tcp'] });
    const client = await SipClient.open(aorta);
    for (const [user, contact, headers] of [
      ['alice', "<sip:al'ice@192.0.2.1:5070>;q=0.5", []],
      ['alice', '<sip:alice@127.0.0.1:5071>', ['User-Agent: Desk "1", \\ back']],
      [
        'bob',
        `<sip:bob@192.0.2.3>;+sip.instance="${INSTANCE}";reg-id=1`,
        [`Path: ${PATH}`, 'Supported: path, outbound'],
      ],
    ] as const) {
      const fields = { aor: `${user}@example.com`, expires: 600, contacts: [contact], headers, cseq: 7 };
      expect((await client.request(client.register(fields))).status).toBe(200);
    }
    const phone = await StreamClient.tcp(aorta);
    const contacts = ['<sip:carol@192.0.2.4;transport=tcp>'];
    expect((await phone.request(phone.register({ aor: 'carol@example.com', contacts }))).status).toBe(200);
    client.close();
  });

  it.skipIf(peerMissing('kamailio') || peerMissing('sqlite3'))(
    'Kamailio takes over what was exported for it',
    async () => {
      const directory = temporaryDirectory();
      const database = await newDatabase(directory);
      const file = join(directory, 'location.sql');
      const done = await exported('--database', 'sqlite', '--out', file);
      expect(done.stderr).toMatch(/^carol@example\.com .*: skipped: over tcp, and .*\nexported 3, skipped 1\n$/);
      expect((await run('sqlite3', [database, `.read ${file}`], 10_000)).exit.code).toBe(0);
      const { client, kamailio } = await startKamailio(directory, database);
      const kept = async (user: string) => {
        const answer = await client.request(
          client.register({ aor: `${user}@example.com`, headers: ['Supported: path'] }),
        );
        return answer.text
          .split('\r\n')
          .filter((line) => /^(Contact|Path):/.test(line))
          .join('\n');
      };
      const alice = await kept('alice');
      expect(alice).toMatch(/<sip:al'ice@192\.0\.2\.1:5070>;q=0\.5;expires=(5\d\d|600)\b/);
      expect(alice).toMatch(/<sip:alice@127\.0\.0\.1:5071>;.*expires=(?:5\d\d|600);received="sip:127\.0\.0\.1:\d+"/);
      const bob = await kept('bob');
      expect(bob).toContain('<sip:bob@192.0.2.3>');
      expect(bob).toContain(`+sip.instance="${INSTANCE}";reg-id=1`);
      client.close();
      kamailio.killTree();
    },
  );

  it('Aorta takes back its own CSV', async () => {
    const file = join(temporaryDirectory(), 'location.csv');
    await exported('--format', 'csv', '--out', file);
    const rows = readFileSync(file, 'utf8');
    const again = await exported('--format', 'kamailio', '--output', file);
    expect([again.exit.code, again.stderr]).toEqual([
      1,
      `aorta: ${file} is there already: name another file or remove it\n`,
    ]);
    expect(readFileSync(file, 'utf8')).toBe(rows);
    const other = temporaryDirectory();
    expect((await importFile(file, other)).stdout).toMatch(/^imported 3, skipped 0 /);
    const next = await Aorta.start({ data: other });
    expect((await contactsOf(next, 'alice@example.com')).join()).toContain("<sip:al'ice@192.0.2.1:5070>;q=0.5");
    expect((await contactsOf(next, 'bob@example.com')).join()).toContain(`+sip.instance="${INSTANCE}";reg-id=1`);
    await next.stop();
  });

  it('quotes as the database wants it, and says what it does not know', async () => {
    const mysql = await exported('--timezone', 'Z');
    expect(mysql.stdout).toMatch(/^START TRANSACTION;\nINSERT INTO location \(ruid,username,/);
    expect(mysql.stdout).toContain("'sip:al''ice@192.0.2.1:5070'");
    expect(mysql.stdout).toContain('\'Desk "1", \\\\ back\'');
    expect(mysql.stdout).toMatch(/,'20\d\d-\d\d-\d\d \d\d:\d\d:\d\d',0\.5,/);
    const opensips = await exported('--format', 'opensips', '--database', 'postgres');
    expect(opensips.stdout).toMatch(/^BEGIN;\nINSERT INTO location \(username,.*,sip_instance\) VALUES/);
    expect(opensips.stdout).toContain('\'Desk "1", \\ back\'');
    expect((await exported('--format', 'asterisk')).exit.code).toBe(2);
  });
});

describe('from OpenSIPS', () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  const rows = [
    'contact_id,username,domain,contact,received,path,expires,q,callid,cseq,user_agent,sip_instance',
    `1,alice,example.com,sip:alice@10.0.0.5:5060,sip:203.0.113.7:31000,,${inAnHour},-1.00,a@x,3,"Phone, 1",<urn:uuid:1>`,
    `2,bob,example.com,"sip:bob@10.0.0.6",,<sip:edge.example.net;lr>,${inAnHour},0.7,b@x,4,,`,
    '3,carol,example.com,sip:carol@10.0.0.7,,,0,,c@x,1,,',
    '4,dave,example.com,sip:dave@10.0.0.8,,,1000000000,,d@x,1,,',
    `5,erin,,sip:erin@10.0.0.9,,,${inAnHour},,e@x,1,,`,
    `6,frank,example.com,tel:+15550100,,,${inAnHour},,f@x,1,,`,
    `7,"mal\r\nX: 1",example.com,sip:m@10.0.0.9,,,${inAnHour},,g@x,1,,`,
    '8,grace,example.com,sip:grace@10.0.0.7,,,0000-00-00 00:00:00,,h@x,1,,',
    '9,heidi,example.com,sip:heidi@10.0.0.7,,,0000-00-00,,i@x,1,,',
    '10,ivan,example.com,sip:ivan@10.0.0.7,,,1970-01-01 00:00:00,,j@x,1,,',
  ];

  it('reads its table as CSV and names each row that is left out', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'location.csv');
    writeFileSync(file, `${rows.join('\n')}\n`);
    const done = await importFile(file, data);
    expect(done.stdout, done.stderr).toMatch(
      /^imported 2, skipped 8 \(5 by rule\) in .*\nby domain: example\.com 2\n$/,
    );
    expect(done.exit.code, 'rows that make no sense').toBe(1);
    const reasons = done.stderr.split('\n');
    for (const reason of ['expired', 'no domain', 'the contact is no SIP URI', 'no address-of-record']) {
      expect(reasons.filter((line) => line.includes(reason)).length, reason).toBe(1);
    }
    expect(reasons.filter((line) => line.includes('permanent')).length, 'as 0, and as MySQL dates it').toBe(4);
    const aorta = await Aorta.start({ data });
    expect((await contactsOf(aorta, 'alice@example.com')).join()).toContain('<sip:alice@10.0.0.5:5060>');
    expect((await contactsOf(aorta, 'bob@example.com')).join()).toMatch(/<sip:bob@10.0.0.6>.*q=0.7/);
    await aorta.stop();
  });

  it('takes all contacts of one REGISTER, which have one Call-ID and CSeq, and a row too long for a message is its own fault', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'location.csv');
    const row = (contact: string, agent = 'two lines') =>
      `8,carol,example.com,${contact},,,${inAnHour},,h@x,7,${agent},`;
    const contacts = ['sip:carol@10.0.0.7', 'sip:carol@10.0.0.8;line=2'];
    const long = row('sip:carol@10.0.0.9', 'x'.repeat(70_000));
    writeFileSync(file, `${[rows[0], row(contacts[0]), long, row(contacts[1]), row(contacts[0])].join('\n')}\n`);
    const done = await importFile(file, data);
    expect(done.stdout, done.stderr).toMatch(/^imported 2, skipped 2 \(1 by rule\) /);
    expect(done.stderr).toMatch(/:3: skipped: 7\d{4} bytes are no SIP message/);
    expect(done.stderr).toMatch(/:5: skipped: there already/);
    const aorta = await Aorta.start({ data });
    const found = (await contactsOf(aorta, 'carol@example.com')).join();
    for (const contact of contacts) expect(found).toContain(`<${contact}>`);
    await aorta.stop();
  });

  it('takes no byte for another character: bad UTF-8 is refused whole, with its line, and read where it is named', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'latin1.csv');
    writeFileSync(
      file,
      Buffer.from(
        `${rows.slice(0, 2).join('\n')}\n8,zo\u00eb,example.com,sip:zoe@10.0.0.9,,,${inAnHour},,h@x,1,Caf\u00e9,\n`,
        'latin1',
      ),
    );
    const refused = await importFile(file, data);
    expect([refused.exit.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^aorta: line 3: byte 0xeb is not UTF-8, so nothing was taken: .*--encoding latin1/),
    ]);
    expect(existsSync(join(data, 'aorta.json'))).toBe(false);
    expect((await importFile(file, data, '--encoding', 'latin-one')).exit.code).toBe(2);
    expect((await importFile(file, data, '--encoding', 'latin1')).stdout).toMatch(/^imported 2, skipped 0 /);
    const aorta = await Aorta.start({ data });
    expect((await contactsOf(aorta, 'zo%C3%AB@example.com')).join()).toContain('<sip:zoe@10.0.0.9>');
    await aorta.stop();
    const marked = join(data, 'utf16.csv');
    writeFileSync(marked, Buffer.from(`\ufeff${rows.slice(0, 2).join('\n')}\n`, 'utf16le'));
    expect((await importFile(marked, temporaryDirectory())).stdout).toMatch(/^imported 1, skipped 0 /);
  });

  it('says what a file is not', async () => {
    const data = temporaryDirectory();
    const file = join(data, 'users.csv');
    writeFileSync(file, 'username,password\nalice,x\n');
    const done = await importFile(file, data);
    expect([done.exit.code, done.stderr]).toEqual([
      1,
      'aorta: line 1 names no column "contact": the first line must name the columns, such as username,domain,contact,expires,callid,cseq\n',
    ]);
    expect((await importFile(file, data, '--timezone', 'CET')).exit.code).toBe(2);
    expect((await importFile(join(data, 'none.csv'), data)).stderr).toContain('no such file');
  });
});
