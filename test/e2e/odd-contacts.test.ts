// What phones write and nobody expects, in their addresses, contacts and User-Agents, out of every outlet of a running server: each is
// well formed for its format, nothing in it is obeyed, and what is shown can be asked for and removed as it is shown.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromCsvField } from '../../src/commands/import/csv-field.ts';
import { openFeed } from '../support/admin-server.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { contactFault } from '../support/contact-grammar.ts';
import { configFile } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';
import { contacts, SipClient } from '../support/sip-client.ts';

/** What a terminal or a page obeys, but a line end. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
/** The same, and line ends. */
const OBEYED_IN_TEXT = new RegExp(`${OBEYED.source}|\\n`, 'u');
/** What a spreadsheet runs. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const raw = (text: string) => Buffer.from(text).toString('latin1');

/** Users as they stand in To: raw bytes, escapes, and what other formats take for their own. */
const USERS = [
  ...[
    raw('bü'),
    'b%C3%BC2',
    'b%FC',
    '#31#49',
    '*72#',
    '1234567890',
    '%1B%5B2Jx',
    raw('a\u202eb'),
    '%E2%80%AEc',
    '%C2%9B31m',
  ],
  ...[
    "o'neill",
    'a%22b',
    'a,b',
    'a;b',
    'a%5Cb',
    'a%0Ab',
    'a%0D%0AX',
    'a%09b',
    'a%00b',
    'a%2Fb',
    '..',
    '%2e',
    'a?b',
    'a&b=c',
    '=1+1',
  ],
  ...[
    '@@'.replaceAll('@', '%40'),
    '%2525',
    '%25',
    'a%3Ab',
    raw('電話'),
    raw('😀'),
    '+4930123',
    '-x',
    'a[1]{x}|^`',
    '%EF%BB%BFbom',
    '%7F',
  ],
] as const;

/** Contacts by turns: outside the grammar in all the ways that phones have (test/core/register/spelling has each of them). */
const CONTACTS = [
  (n: number) => raw(`Büro ${n} <sip:bü${n}@192.0.2.4>`),
  (n: number) => `<sip:#31#${n}@192.0.2.4;x={1}>;gw=a/b`,
  (n: number) => `<sip:a${n}@192.0.2.4;app-imei=;transport=tcp>;+sip.instance=<urn:uuid:${n}>`,
  (n: number) => `"a \\"b\\" \\\x1b[2J" <sip:c${n}@192.0.2.4>;note="x,y;z='1'"`,
  (n: number) => raw(`<sip:d${n}%1B[2J\u202e@192.0.2.4>;note="\u202e\\"\\\\"`),
  (n: number) => `"=1+1" <sip:=e${n},'x@192.0.2.4>;n=1`,
] as const;

const AGENTS = [
  ...['Desk "1", \\back', "'; DROP TABLE location; --", '=HYPERLINK("http://x")', raw('Müller 電話'), 'M\xfcller'],
  ...['esc\x1b[31mred', raw('bidi\u202egpj.exe'), raw('\ufeffbom \u2028line'), 'tab\there', 'nul\0\x7f'],
];

interface Found {
  readonly aor: string;
  readonly contacts: readonly {
    readonly uri: string;
    readonly userAgent?: string;
    readonly gruu?: string;
    readonly params: Readonly<Record<string, string>>;
  }[];
}

let aorta: Aorta;
let client: SipClient;
let admin: string;
let lookups: string;
/** `aorta ul dump --json`, line by line. */
let found: Found[];
const events: { aor: string; binding: { uri: string } }[] = [];
const receiver = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    events.push(...(JSON.parse(utf8(Buffer.concat(parts))) as { events: typeof events }).events);
    response.writeHead(204).end();
  });
});

const toOf = (user: string) => `<sip:${user}@example.com>`;

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  const webhook = `feed: { webhook: { url: 'http://127.0.0.1:${port}/', secret: a secret of the receiver } }`;
  const flags = ['--config', configFile(webhook), '--admin', 'http:127.0.0.1:0', '--lookup', 'http:127.0.0.1:0'];
  aorta = await Aorta.start({ shards: 2, flags });
  admin = /^admin (http:\S+?)\/?$/m.exec(aorta.stdout)?.[1] ?? '';
  lookups = /^lookups (\S+)\/v1/m.exec(aorta.stdout)?.[1] ?? '';
  client = await SipClient.open(aorta);
  const registered = USERS.map((user, n) => {
    const fields = { to: toOf(user), from: `${toOf(user)};tag=${n}`, requestUri: 'sip:example.com', expires: 600 };
    const rows = [CONTACTS[n % CONTACTS.length](n), `<sip:plain${n}@192.0.2.9>`];
    const agent = `User-Agent: ${AGENTS[n % AGENTS.length]}`;
    return client.request(client.register({ ...fields, callId: `a"\\${n}@h`, contacts: rows, headers: [agent] }));
  });
  for (const answer of await Promise.all(registered)) expect(answer.status, answer.text).toBe(200);
  const dump = await aortaSays('ul', 'dump', '--json', '--data', aorta.data);
  found = dump
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Found);
});

afterAll(async () => {
  client?.close();
  receiver.close();
  await killAll();
  removeDirectories();
});

/** Bytes that are UTF-8. */
const utf8 = (bytes: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
const escaped = encodeURIComponent;

async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url, init);
  const text = utf8(new Uint8Array(await answer.arrayBuffer()));
  expect(text, url).not.toMatch(OBEYED);
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** What a command prints; it ends with 0. */
async function aortaSays(...args: string[]): Promise<string> {
  const { stdout, stderr, exit } = await run(process.execPath, [CLI, ...args], 20_000);
  expect(exit.code, stderr).toBe(0);
  const text = utf8(Buffer.from(stdout, 'latin1'));
  expect(text).not.toMatch(OBEYED);
  return text;
}

const exported = (...flags: string[]) =>
  aortaSays('location', 'export', '--data', aorta.data, '--timezone', 'Z', ...flags);
const bindings = () => found.flatMap(({ aor, contacts }) => contacts.map((contact) => ({ aor, ...contact })));
const pairs = (of: readonly { aor: string; uri: string }[]) => of.map(({ aor, uri }) => `${aor} ${uri}`).sort();

describe('what phones write and nobody expects', () => {
  it('is in the dump, each address and contact once, as text that nothing obeys', () => {
    expect(new Set(found.map(({ aor }) => aor)).size).toBe(USERS.length);
    expect(new Set(pairs(bindings())).size).toBe(2 * USERS.length);
    for (const text of strings(found)) expect(text).not.toMatch(OBEYED_IN_TEXT);
  });

  it('has parameters as they were before they were quoted, and escapes for what cannot be seen', () => {
    const notes = found.flatMap(({ contacts }) => contacts.flatMap(({ params }) => params.note ?? []));
    expect(new Set(notes)).toEqual(new Set(["x,y;z='1'", '\\u202e"\\']));
  });

  it('can be looked up by HTTP as it is shown, one by one and in a batch', async () => {
    const { body } = await ask(`${lookups}/v1/lookups`, {
      method: 'POST',
      body: JSON.stringify({ aors: found.map(({ aor }) => aor) }),
    });
    const { results } = body as { results: Found[] };
    expect(pairs(results.flatMap(flat))).toEqual(pairs(bindings()));
    for (const text of strings(results)) expect(text).not.toMatch(OBEYED_IN_TEXT);
    for (const result of results) {
      for (const base of [
        `${lookups}/v1/aors/${escaped(result.aor)}/contacts`,
        `${admin}/v1/aors/${escaped(result.aor)}`,
      ]) {
        const one = await ask(base);
        expect([one.status, pairs(flat(one.body as Found))], base).toEqual([200, pairs(flat(result))]);
      }
      for (const { gruu = 'sip:none.example.com' } of result.contacts) {
        // JsSIP unescapes to UTF-8, and throws where an address has other bytes.
        if (!gruu.includes('%FC')) expect(contactFault(Buffer.from(`<${gruu}>`))).toBeNull();
      }
    }
  });

  it('R3261-25.1-01 is well formed in 302s, and in the answer to a fetch', async () => {
    for (const user of USERS) {
      const redirected = await client.request(client.other('INVITE', `sip:${user}@example.com`));
      expect(redirected.status, redirected.text).toBe(302);
      const fetched = await client.request(client.register({ to: toOf(user), requestUri: 'sip:example.com' }));
      for (const answer of [redirected, fetched]) {
        const rows = contacts(answer);
        expect(rows.length, answer.text).toBe(2);
        for (const row of rows) expect(contactFault(Buffer.from(row, 'latin1'))).toBeNull();
      }
    }
  });

  it('is CSV that spreadsheets do not run, and that Aorta takes back', async () => {
    const file = join(temporaryDirectory(), 'location.csv');
    const csv = await exported('--format', 'csv');
    writeFileSync(file, csv);
    const [names, ...rows] = parse(csv, { relax_column_count: false }) as string[][];
    expect(rows.length).toBe(2 * USERS.length);
    for (const cell of rows.flat()) expect(cell).not.toMatch(FORMULA);
    const column = (row: string[], name: string) => fromCsvField(row[names.indexOf(name)]);
    const shown = rows.map((row) => ({ aor: `${column(row, 'username')}@example.com`, uri: column(row, 'contact') }));
    expect(pairs(shown)).toEqual(pairs(bindings()));

    const data = temporaryDirectory();
    expect(await aortaSays('location', 'import', file, '--data', data)).toContain(`imported ${rows.length}, skipped 0`);
    const again = await Aorta.start({ data, shards: 2, flags: ['--admin', 'http:127.0.0.1:0'] });
    const taken = (await aortaSays('ul', 'dump', '--json', '--data', data)).trimEnd().split('\n');
    expect(pairs(taken.flatMap((line) => flat(JSON.parse(line) as Found)))).toEqual(pairs(bindings()));
    await again.stop();
  });

  it('is SQL of one row for each contact, with the same values in each dialect', async () => {
    const expected = pairs(bindings());
    for (const [format, database] of [
      ['kamailio', 'mysql'],
      ['opensips', 'postgres'],
    ] as const) {
      const lines = (await exported('--format', format, '--database', database)).trimEnd().split('\n').slice(1, -1);
      const rows = lines.map((line) => rowOf(line, database));
      expect(pairs(rows), `${format} ${database}`).toEqual(expected);
    }
  });

  it.skipIf(peerMissing('sqlite3'))('is SQL that SQLite runs', async () => {
    const folder = temporaryDirectory();
    const [database, file] = [join(folder, 'location.sqlite'), join(folder, 'location.sql')];
    const sql = await exported('--format', 'opensips', '--database', 'sqlite');
    writeFileSync(file, sql);
    const columns = /\((.*?)\)/.exec(sql)?.[1];
    const said = await run(
      'sqlite3',
      ['-json', database, `CREATE TABLE location (${columns});`, `.read ${file}`, 'SELECT * FROM location'],
      10_000,
    );
    expect(said.stderr).toBe('');
    const rows = JSON.parse(utf8(Buffer.from(said.stdout, 'latin1'))) as Record<string, string>[];
    expect(pairs(rows.map((row) => ({ aor: `${row.username}@example.com`, uri: row.contact })))).toEqual(
      pairs(bindings()),
    );
    const agents = new Map(bindings().map(({ aor, userAgent = '' }) => [aor, userAgent]));
    for (const row of rows) expect(row.user_agent).toBe(agents.get(`${row.username}@example.com`));
  });

  it('is a line each in `aorta ul dump`', async () => {
    const lines = (await aortaSays('ul', 'dump', 'brief', '--data', aorta.data)).trimEnd().split('\n');
    expect(lines).toEqual(found.flatMap(({ aor, contacts }) => [aor, ...contacts.map(({ uri }) => `  ${uri}`)]));
    const whole = (await aortaSays('ul', 'dump', '--data', aorta.data)).trimEnd().split('\n');
    expect(whole.map((line) => line.replace(/^( {2}\S+) {2}q=.*/, '$1'))).toEqual(lines);
  });

  it('is told by the feeds as the dump has it, and removed as it is shown', async () => {
    await poll('the webhooks', 10_000, () => events.length >= 2 * USERS.length);
    expect(pairs(events.map(({ aor, binding: { uri } }) => ({ aor, uri })))).toEqual(pairs(bindings()));
    for (const text of strings(events)) expect(text).not.toMatch(OBEYED_IN_TEXT);

    const feed = await openFeed(`${admin}/v1/events`);
    for (const { aor, uri } of bindings()) {
      const path = `${admin}/v1/aors/${escaped(aor)}/bindings?contact=${escaped(uri)}`;
      expect((await fetch(path, { method: 'DELETE' })).status, `${aor} ${uri}`).toBe(204);
      const { event, data } = await feed.next();
      const { binding } = data as { binding: { uri: string } };
      expect([event, data.aor, binding.uri]).toEqual(['removed', aor, uri]);
    }
    await feed.close();
    expect((await ask(`${admin}/v1/aors/${escaped(found[0].aor)}/history`)).body).toMatchObject({
      aor: found[0].aor,
      items: [{ type: 'removed' }, { type: 'removed' }, { type: 'registered' }, { type: 'registered' }],
    });
  });
});

/** Every string of a value of JSON. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, part]) => [name, ...strings(part)])
    : [];
}

function flat({ aor, contacts }: Found): { aor: string; uri: string }[] {
  return contacts.map(({ uri }) => ({ aor, uri }));
}

/** User and contact of an INSERT, read as the database reads literals. */
function rowOf(line: string, database: 'mysql' | 'postgres'): { aor: string; uri: string } {
  const [, names, text] = /^INSERT INTO location \((.*?)\) VALUES \((.*)\);$/.exec(line) ?? [];
  const literal = database === 'mysql' ? /'((?:[^'\\]|''|\\.)*)'|([^',]+)/y : /'((?:[^']|'')*)'|([^',]+)/y;
  const values: string[] = [];
  for (let at = 0; at < text.length; at = literal.lastIndex + 1) {
    literal.lastIndex = at;
    const [, quoted, bare] = literal.exec(text) ?? [];
    const value = quoted?.replaceAll("''", "'") ?? bare;
    expect(value, `${line} at ${at}`).toBeDefined();
    values.push(database === 'mysql' ? value.replace(/\\(.)/g, '$1') : value);
    expect([',', undefined]).toContain(text[literal.lastIndex]);
  }
  const columns = names.split(',');
  expect(values.length).toBe(columns.length);
  return { aor: `${values[columns.indexOf('username')]}@example.com`, uri: values[columns.indexOf('contact')] };
}
