// Rules by domain: the example of docs/operating.md on a real server, what `aorta config --domain` says of it, and a reload.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { patience } from '../support/patience.ts';
import { type Answer, bindings, header, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const EXAMPLE = /^## Domains with rules of their own[\s\S]*?^```yaml\n([\s\S]*?)^```/m.exec(guide)?.[1] ?? '';

let server: Aorta;
let file: string;
let udp: SipClient;
let tcp: StreamClient;

beforeAll(async () => {
  file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, EXAMPLE);
  const flags = ['--config', file, '--admin', 'http:127.0.0.1:0'];
  server = await Aorta.start({ shards: 2, domains: [], transports: ['udp', 'tcp'], flags });
  udp = await SipClient.open({ address: '127.0.0.1', port: server.port });
  tcp = await StreamClient.tcp({ address: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  await killAll();
  removeDirectories();
});

interface Wish {
  readonly contacts?: readonly string[];
  readonly expires?: number;
  readonly headers?: readonly string[];
  readonly callId?: string;
  readonly cseq?: number;
}

const contact = () => `<sip:${newToken()}@127.0.0.1:1>`;

function register(aor: string, { contacts = [contact()], expires = 7200, ...more }: Wish = {}): Promise<Answer> {
  return udp.request(udp.register({ aor, contacts, expires, ...more }));
}

async function aorta(...words: string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(process.execPath, [CLI, ...words], 20_000);
  expect(exit.code, stderr).toBe(0);
  return stdout;
}

async function metrics(): Promise<string> {
  const admin = /admin (http:\S+)/.exec(server.stdout)?.[1];
  return (await fetch(`${admin}/metrics`)).text();
}

/** Until the metric has the value. */
async function counted(sample: string): Promise<void> {
  await vi.waitFor(async () => expect(await metrics()).toContain(`\n${sample}\n`), {
    timeout: 20_000 * patience(),
    interval: 200,
  });
}

describe('rules by domain', () => {
  it('grant each domain its own intervals and contacts', async () => {
    const desk = `alice${newToken()}@example.com`;
    expect([...bindings(await register(desk)).values()]).toEqual([600]);
    expect([...bindings(await register(`alice${newToken()}@example.org`)).values()]).toEqual([7200]);
    expect((await register(desk)).status).toBe(200);
    expect((await register(desk)).status).toBe(403);
    const open = `bob${newToken()}@example.org`;
    for (let i = 0; i < 3; i++) expect((await register(open)).status).toBe(200);
    expect((await register(`carol@example.com`, { expires: 30 })).status).toBe(423);
  });

  it('R3327-5.3-03 are strict about Path in one domain and lazy in another', async () => {
    const headers = ['Path: <sip:edge.example.com;lr>'];
    expect((await register('path@example.com', { headers })).status).toBe(420);
    expect((await register('path@example.org', { headers })).status).toBe(200);
  });

  it('accept registrations over the transports that are allowed', async () => {
    const refused = await register('dave@example.net');
    expect(refused.status).toBe(403);
    const text = tcp.register({ aor: 'dave@example.net', contacts: [contact()], expires: 300 });
    expect((await tcp.request(text)).status).toBe(200);
    expect(await metrics()).toMatch(/^aorta_registrations_total\{.*reason="transport_not_allowed".*\} 1$/m);
  });

  it('are shown with the key that each value comes from, of a file and of the server', async () => {
    for (const from of [[file], ['--data', server.data]]) {
      const shown = await aorta('config', ...from, '--domain', 'Example.com');
      expect(shown).toMatch(/^max-expires: 600 +# domains\.example\.com\.policy\.max-expires$/m);
      expect(shown).toMatch(/^default-expires: 600 +# fits domains\.example\.com\.policy$/m);
      expect(shown).toMatch(/^min-expires: 60 +# default$/m);
    }
    const { exit, stderr } = await run(process.execPath, [CLI, 'config', file, '--domain', 'example.edu'], 20_000);
    expect([exit.code, stderr]).toEqual([1, 'aorta: example.edu is not served\n']);
  });

  it('come into force with a reload; refreshes of two domains in turn keep to each domain’s answers', async () => {
    writeFileSync(
      file,
      `domains:\n  example.com: {policy: {outbound: off, max-expires: 300}}\n  example.net:\n    policy: {networks: 192.0.2.0/24}\n  example.org:\n`,
    );
    expect(await aorta('reload', '--data', server.data)).toContain('domains.example.com.policy.outbound');
    const phones = ['example.com', 'example.org', 'example.com', 'example.org'].map((domain) => ({
      aor: `turn${newToken()}@${domain}`,
      contacts: [contact()],
      callId: newToken(),
      supported: domain === 'example.com' ? 'path' : 'path, outbound',
      granted: domain === 'example.com' ? 300 : 7200,
    }));
    for (let cseq = 1; cseq <= 4; cseq++)
      for (const { supported, granted, aor, ...wish } of phones) {
        const answer = await register(aor, { ...wish, cseq, headers: ['Supported: path, outbound'] });
        expect([answer.status, header(answer.text, 'Supported')]).toEqual([200, supported]);
        expect([...bindings(answer).values()]).toEqual([granted]);
      }
    expect((await register('bill@example.com', { headers: ['Require: outbound'] })).status).toBe(420);
    expect((await register('bill@example.org', { headers: ['Require: outbound'] })).status).toBe(200);
    const stranger = tcp.register({ aor: 'dave@example.net', contacts: [contact()], expires: 300 });
    expect((await tcp.request(stranger)).status).toBe(403);
  });

  it('limit the bindings of a domain on all shards together, those from before included', async () => {
    const limited = 'tenant.example';
    const domains = (rules: string) =>
      writeFileSync(file, `domains:\n  example.org:\n  ${limited}: ${rules}\npolicy: {min-expires: 1}\n`);
    domains('');
    await aorta('reload', '--data', server.data);
    const phones = Array.from({ length: 8 }, (_, i) => ({
      aor: `phone${i}@${limited}`,
      contacts: [contact()],
      callId: newToken(),
    }));
    const first = phones.slice(0, 2);
    for (const { aor, ...wish } of first) expect((await register(aor, { ...wish, cseq: 1 })).status).toBe(200);
    domains('{policy: {bindings-max: 5}}');
    await aorta('reload', '--data', server.data);
    await counted(`aorta_domain_bindings{domain="${limited}"} 2`);
    expect(await metrics()).toContain(`\naorta_domain_bindings_max{domain="${limited}"} 5\n`);

    const statuses: number[] = [];
    for (const { aor, ...wish } of phones.slice(2)) statuses.push((await register(aor, { ...wish, cseq: 1 })).status);
    expect(statuses).toEqual([200, 200, 200, 403, 403, 403]);
    expect((await register(`other${newToken()}@example.org`)).status).toBe(200);
    for (const { aor, ...wish } of first) expect((await register(aor, { ...wish, cseq: 2 })).status).toBe(200);
    await vi.waitFor(
      () => expect(server.stderr).toContain('bindings of a domain: limit nearly reached'),
      10_000 * patience(),
    );

    const [{ aor, ...wish }] = first;
    expect((await register(aor, { ...wish, cseq: 3, expires: 0 })).status).toBe(200);
    const [late, later] = phones.slice(5);
    expect((await register(late.aor, { contacts: late.contacts, expires: 1 })).status).toBe(200);
    expect((await register(later.aor, { contacts: later.contacts })).status).toBe(403);
    await counted(`aorta_domain_bindings{domain="${limited}"} 4`); // one ran out
    expect((await register(later.aor, { contacts: later.contacts })).status).toBe(200);
    expect(await metrics()).toMatch(/reason="domain_full".*\} 4$/m);
  });
});
