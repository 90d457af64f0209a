// Static bindings and aliases by command beside a running server, as lookups by SIP and HTTP find them.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { bindings, SipClient } from '../support/sip-client.ts';

let aorta: Aorta;
let client: SipClient;
let url: string;

beforeAll(async () => {
  aorta = await Aorta.start({ flags: ['--lookup', 'http:127.0.0.1:0'], shards: 3 });
  url = /^lookups (\S+)\/v1/m.exec(aorta.stdout)?.[1] ?? '';
  client = await SipClient.open(aorta);
});

afterAll(async () => {
  client?.close();
  await killAll();
  removeDirectories();
});

function command(...args: string[]): ReturnType<typeof run> {
  return run(process.execPath, [CLI, ...args, '--data', aorta.data], 10_000);
}

async function byHttp(aor: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/aors/${aor}/contacts`);
  return ((await answer.json()) as { contacts: { uri: string }[] }).contacts.map(({ uri }) => uri);
}

async function bySip(aor: string): Promise<string[]> {
  const answer = await client.request(client.other('MESSAGE', `sip:${aor}`));
  return answer.status === 302 ? [...bindings(answer).keys()] : [];
}

/** Waits until both doors show these contacts. */
async function shows(aor: string, uris: readonly string[]): Promise<void> {
  for (const door of [byHttp, bySip]) {
    await poll(
      `${aor} at ${uris} (${door.name})`,
      5000,
      async () => String(await door(aor)) === String(uris) || undefined,
    );
  }
}

describe('aorta binding', () => {
  it('adds contacts beside the registered ones, with q and Path, and removes them', async () => {
    const added = await command('binding', 'add', 'alice@Example.com', 'sip:mail@192.0.2.30', '--q', '0.1');
    expect([added.exit.code, added.stdout]).toEqual([0, 'alice@Example.com is at sip:mail@192.0.2.30\n']);
    await shows('alice@example.com', ['sip:mail@192.0.2.30']);
    await client.request(client.register({ contacts: ['<sip:desk@127.0.0.1:9>'] }));
    await shows('alice@example.com', ['sip:desk@127.0.0.1:9', 'sip:mail@192.0.2.30']);
    expect([...(await client.fetch()).keys()], 'no REGISTER shows it').toEqual(['sip:desk@127.0.0.1:9']);

    await command('binding', 'add', 'gate@example.com', 'sip:g@192.0.2.31', '--path', '<sip:edge.example.com;lr>');
    await poll('the gate', 5000, async () => (await byHttp('gate@example.com'))[0]);
    // The shards look at the file on their own time.
    await poll('the gate by SIP', 5000, async () => (await bySip('gate@example.com')).length > 0);
    expect(await bySip('gate@example.com')).toEqual(['sip:g@192.0.2.31?Route=%3Csip:edge.example.com%3Blr%3E']);
    expect((await command('binding', 'ls')).stdout).toBe(
      'alice@example.com  sip:mail@192.0.2.30  q=0.1\ngate@example.com  sip:g@192.0.2.31  <sip:edge.example.com;lr>\n',
    );
    expect((await command('binding', 'rm', 'alice@example.com')).exit.code).toBe(0);
    await shows('alice@example.com', ['sip:desk@127.0.0.1:9']);
  });

  it('says what is wrong, and changes nothing then', async () => {
    for (const [args, words] of [
      [['binding', 'add', 'alice@example.com', 'not a uri'], /is no URI/],
      [['binding', 'add', 'nobody', 'sip:a@b'], /is no address/],
      [['binding', 'add', 'alice@example.com', 'sip:a@b', '--q', '7'], /from 0 to 1/],
      [['binding', 'rm', 'nobody@example.com'], /no static binding/],
      [['alias', 'rm', 'nobody@example.com'], /is no alias/],
    ] as const) {
      const refused = await command(...args);
      expect([refused.exit.code, refused.stdout], refused.stderr).toEqual([2, '']);
      expect(refused.stderr).toMatch(words);
    }
    const nowhere = join(temporaryDirectory(), 'nothing');
    const refused = await run(process.execPath, [CLI, 'alias', 'add', 'a@b.c', 'd@b.c', '--data', nowhere], 10_000);
    expect([refused.exit.code, existsSync(nowhere)]).toEqual([2, false]);
  });
});

describe('aorta alias', () => {
  it('lets addresses stand for others, over several and across shards, never round', async () => {
    await client.request(client.register({ aor: 'bob@example.com', contacts: ['<sip:bob@127.0.0.1:8>'] }));
    await command('alias', 'add', 'sales@example.com', 'bob@example.com');
    for (let n = 0; n < 6; n++) await command('alias', 'add', `shop${n}@example.com`, 'sales@example.com');
    await shows('sales@example.com', ['sip:bob@127.0.0.1:8']);
    for (let n = 0; n < 6; n++) await shows(`shop${n}@example.com`, ['sip:bob@127.0.0.1:8']);
    const round = await command('alias', 'add', 'bob@example.com', 'shop1@example.com');
    expect([round.exit.code, round.stderr]).toEqual([2, expect.stringMatching(/back to itself/)]);
    expect((await command('alias', 'ls')).stdout).toContain('shop5@example.com  sales@example.com\n');
    await command('alias', 'rm', 'sales@example.com');
    await shows('shop0@example.com', []);
  });

  it('goes on with what it has where the file is damaged, and says so', async () => {
    await command('binding', 'add', 'kept@example.com', 'sip:kept@192.0.2.40');
    await shows('kept@example.com', ['sip:kept@192.0.2.40']);
    writeFileSync(join(aorta.data, 'static.json'), '{');
    await poll('a log line', 5000, async () => {
      await bySip('kept@example.com');
      return /static bindings cannot be read/.test(aorta.stderr) || undefined;
    });
    expect(await byHttp('kept@example.com')).toEqual(['sip:kept@192.0.2.40']);
    const refused = await command('binding', 'add', 'x@example.com', 'sip:x@192.0.2.41');
    expect([refused.exit.code, refused.stderr]).toEqual([1, expect.stringMatching(/static\.json is damaged/)]);
  });
});
