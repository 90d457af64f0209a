// docs/sipconnect.md as it stands: a PBX that logs in and registers its numbers, which the proxy finds by SIP and by HTTP.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { importUsers, logIn } from '../support/login-client.ts';
import { type Answer, header, SipClient } from '../support/sip-client.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/sipconnect.md'), 'utf8');
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(guide)?.[1] ?? '';
const rowsOf = (name: string) =>
  [...block('sip').matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map(([, value]) => value);

let server: Aorta;
let file: string;
let pbx: SipClient;

beforeAll(async () => {
  const data = temporaryDirectory();
  file = join(data, 'aorta.yaml');
  writeFileSync(file, block('yaml').replace('127.0.0.1:8061', '127.0.0.1:0'));
  await importUsers(data, ['pbx1@example.com', 'alice@example.com']);
  server = await Aorta.start({
    shards: 2,
    domains: [],
    data,
    flags: ['--config', file, '--admin', 'http:127.0.0.1:0'],
  });
  pbx = await SipClient.open({ address: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  await killAll();
  removeDirectories();
});

function register(user: string, contact: string): Promise<Answer> {
  const headers = ['Proxy-Require', 'Require', 'Supported'].map((name) => `${name}: ${rowsOf(name).join()}`);
  return logIn(pbx, { aor: `${user}@example.com`, contacts: [contact], expires: 7200, headers });
}

async function lookUp(aor: string): Promise<{ aor: string; contacts: { uri: string; gruu?: string }[] }> {
  const [, address] = /lookups? (http:\/\/[^/]+)/.exec(server.stdout) ?? [];
  const answer = await fetch(`${address}/v1/aors/${aor}/contacts`);
  return (await answer.json()) as { aor: string; contacts: { uri: string }[] };
}

describe('the set-up of SIPconnect 2.0', () => {
  it('R6140-5.2-01 R6140-5.2-04 registers all numbers of the PBX at once', async () => {
    const answer = await register('pbx1', rowsOf('Contact')[0]);
    expect([answer.status, header(answer.text, 'Require')]).toEqual([200, 'gin']);
    expect(answer.text).toContain('pub-gruu="sip:example.com;bnc;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"');
    expect((await register('alice', rowsOf('Contact')[0])).status).toBe(403);
  });

  it('R6140-5.2-01 gives the contact of a number by HTTP and by SIP, whichever shard is asked', async () => {
    const { aor, contacts } = JSON.parse(block('json'));
    const found = await lookUp(aor);
    expect(found).toMatchObject({ aor, contacts });
    for (const number of ['+12145550100', '+12145550101', '+12145550199', '+12145550300']) {
      const uri = `sip:${number}@example.com`;
      const answer = await pbx.request(
        pbx
          .register({ aor: 'carrier@example.com', requestUri: uri })
          .replaceAll('REGISTER', 'INVITE')
          .replace(/^To: .*$/m, `To: <${uri}>`),
      );
      expect([number, answer.status, header(answer.text, 'Contact')]).toEqual([
        number,
        302,
        expect.stringContaining(`<sip:${number}@198.51.100.3:5060>`),
      ]);
    }
    expect((await lookUp('+12145550200@example.com')).contacts).toEqual([]);
  });

  it('R6140-5.2-01 serves other numbers after a reload', async () => {
    writeFileSync(file, block('yaml').replace('127.0.0.1:8061', '127.0.0.1:0').replace('+12145550300', '+12145550400'));
    const reload = await run(process.execPath, [CLI, 'reload', '--data', server.data], 20_000);
    expect(reload.stdout).toContain('bulk-numbers');
    expect((await lookUp('+12145550400@example.com')).contacts).toHaveLength(1);
    expect((await lookUp('+12145550300@example.com')).contacts).toEqual([]);
  });
});
