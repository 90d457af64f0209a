// Pings of contacts by a real server: the configuration of docs/operating.md, phones over UDP, TCP and WebSocket, on both shards.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { configFile } from '../support/login-client.ts';
import { patience } from '../support/patience.ts';
import { type Answer, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import { responseTo } from '../support/watcher.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const EXAMPLE = /^## Pings[\s\S]*?^```yaml\n([\s\S]*?)^```/m.exec(PAGE)?.[1] ?? '';
const PHONES = 12;

let server: Aorta;
let phone: SipClient;
let silent: SipClient;

beforeAll(async () => {
  const file = configFile(
    ...EXAMPLE.replace('30s', '1s')
      .replace('losses: 3', 'losses: 2')
      .replace('127.0.0.1:8061', '127.0.0.1:0')
      .split('\n'),
    'websocket: {origins: ["*"]}',
  );
  const flags = ['--config', file, '--admin', 'http:127.0.0.1:0', '--listen', 'ws:127.0.0.1:0'];
  server = await Aorta.start({ shards: 2, domains: [], transports: ['udp', 'tcp'], flags });
  phone = await SipClient.open({ address: '127.0.0.1', port: server.port });
  silent = await SipClient.open({ address: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  phone.close();
  silent.close();
  await killAll();
  removeDirectories();
});

const address = (name: string) => new RegExp(`${name} (http://[^/\\s]+)`).exec(server.stdout)?.[1] ?? '';

interface Pinged {
  readonly uri: string;
  readonly ping?: { readonly losses: number; readonly rttMs?: number; readonly answeredAt?: number };
}

async function contactsOf(aor: string): Promise<readonly Pinged[]> {
  const answer = await fetch(`${address('lookups')}/v1/aors/${aor}/contacts`);
  return ((await answer.json()) as { contacts: Pinged[] }).contacts;
}

/** Answers what it gets, for as long as the test takes. */
function answerPings(next: () => Promise<Answer>, send: (text: string) => void): readonly string[] {
  const pings: string[] = [];
  const go = async (): Promise<void> => {
    for (;;) {
      const { text } = await next();
      if (!text.startsWith('OPTIONS ')) throw new Error(`no ping:\n${text}`);
      pings.push(text);
      send(responseTo(text));
    }
  };
  go().catch(() => {}); // the client is closed
  return pings;
}

async function answered(aor: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const [{ ping }] = await contactsOf(aor);
      expect(ping).toMatchObject({ losses: 0, rttMs: expect.any(Number), answeredAt: expect.any(Number) });
    },
    { timeout: 15_000, interval: 100 },
  );
}

describe('pings', () => {
  it('reach phones over UDP on every shard, and lookups tell what came of them', async () => {
    const aors = Array.from({ length: PHONES }, () => `u${newToken()}@example.org`);
    for (const aor of aors)
      expect((await phone.request(phone.register({ aor, contacts: [`<sip:${aor}>`], expires: 600 }))).status).toBe(200);
    const pings = answerPings(
      () => phone.next(),
      (text) => phone.send(text),
    );
    for (const aor of aors) await answered(aor);
    expect(new Set(pings.map((text) => /^OPTIONS (\S+)/.exec(text)?.[1])).size).toBe(PHONES);
  });

  it('reach phones over their connections', async () => {
    const tcp = await StreamClient.tcp({ address: '127.0.0.1', port: server.port });
    const wsPort = Number(/ws 127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1]);
    const ws = await WsSipClient.open({ port: wsPort });
    const desk = { aor: `t${newToken()}@example.com`, contacts: ['<sip:t@192.0.2.77;transport=tcp>'], expires: 600 };
    const browser = { aor: `w${newToken()}@example.com`, contacts: [`<${ws.contact}>`], expires: 600 };
    expect((await tcp.request(tcp.register({ ...desk, contacts: ['<sip:t@tcp.invalid;transport=tcp>'] }))).status).toBe(
      200,
    );
    expect((await ws.request(ws.register(browser))).status).toBe(200);
    answerPings(
      () => tcp.next(),
      (text) => tcp.send(text),
    );
    answerPings(
      () => ws.answer(),
      (text) => ws.ws.text(text),
    );
    await answered(desk.aor);
    await answered(browser.aor);
    tcp.close();
    ws.close();
  });

  it('park who does not answer, and metrics count them', async () => {
    const aor = `s${newToken()}@example.com`;
    const contacts = ['<sip:s@192.168.0.7>'];
    expect((await silent.request(silent.register({ aor, contacts, expires: 600 }))).status).toBe(200);
    expect(await contactsOf(aor)).toHaveLength(1);
    await vi.waitFor(async () => expect(await contactsOf(aor)).toEqual([]), {
      timeout: 20_000 * patience(),
      interval: 100,
    });
    answerPings(
      () => silent.next(),
      (text) => silent.send(text),
    );
    await answered(aor);
    const metrics = await (await fetch(`${address('admin')}/metrics`)).text();
    expect(Number(/^aorta_pings_total\{result="lost"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
    expect(Number(/^aorta_pinged_contacts (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(PHONES);
  });
});
