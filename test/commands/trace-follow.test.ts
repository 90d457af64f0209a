// `aorta trace follow`: messages of one phone, and of no other, as they pass: as text, as JSON, into a capture file, as a ladder.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { painter } from '../../src/commands/terminal/colours.ts';
import { widthOf } from '../../src/commands/terminal/text-width.ts';
import { stateAfter } from '../../src/commands/trace/follow.ts';
import type { FollowedMessage } from '../../src/commands/trace/followed-messages.ts';
import { drawLadder, type LadderState } from '../../src/commands/trace/ladder.ts';
import { type AdminFixture, openFeed, startAdmin } from '../support/admin-server.ts';
import { CLI, removeDirectories } from '../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import type { SipClient } from '../support/sip-client.ts';
import { TerminalRun } from '../support/terminal-run.ts';

let admin: AdminFixture;
let phone: SipClient;

beforeAll(async () => {
  admin = await startAdmin({ shards: 2 });
  phone = await admin.client();
});
afterAll(async () => {
  await killAll();
  await admin.stop();
  removeDirectories();
});

const register = (user: string, headers: string[] = []) =>
  phone.request(phone.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1:5070>`], headers }));

const traced = () => admin.log.filter(({ event }) => event.startsWith('trace: '));

/** Phones register until it is true. */
const until = (what: string, isTrue: () => boolean, headers: string[] = []) =>
  poll(what, 15_000, async () => {
    await register('alice', headers);
    await register('bob');
    return isTrue();
  });

async function follow(...words: string[]) {
  const child = new Child(process.execPath, [CLI, 'trace', 'follow', ...words, '--data', admin.config.data]);
  let hasEnded = false;
  const end = child.end(20_000).finally(() => (hasEnded = true));
  await until('the command ended', () => hasEnded, ['Authorization: Digest username="alice", response="secret"']);
  await end;
  return child;
}

describe('aorta trace follow', () => {
  it('prints the messages of a phone, without credentials', async () => {
    const child = await follow('alice@example.com', '--count', '4');
    expect(child.stdout).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} udp 127\.0\.0\.1:\d+ > 127\.0\.0\.1:\d+\n\nREGISTER sip:example\.com SIP\/2\.0\n/,
    );
    expect(child.stdout.match(/^SIP\/2\.0 200 OK$/gm)).toHaveLength(2);
    expect(child.stdout).toContain('Authorization: (left out)');
    expect(child.stdout).not.toMatch(/secret|bob@/);
    expect(traced()).toEqual([]);
  });

  it('keeps followers apart, and the log', async () => {
    const feeds = await Promise.all(
      ['alice@example.com', 'sip:bob@example.com'].map((name) =>
        openFeed(`${admin.url}/v1/traces/${encodeURIComponent(name)}/messages`),
      ),
    );
    const trace = admin.server.watch.trace('bob@example.com', 60);
    await register('alice');
    await register('bob');
    await register('alice');
    const texts = await Promise.all(
      feeds.map(async (feed) => {
        const two = [await feed.next(), await feed.next()];
        return two.map(({ data }) => Buffer.from(String(data.bytes), 'base64').toString()).join('');
      }),
    );
    expect(texts[0]).toMatch(/alice@/);
    expect(texts[0]).not.toMatch(/bob@/);
    expect(texts[1]).toMatch(/bob@/);
    expect(texts[1]).not.toMatch(/alice@/);
    await poll('the trace in the log', 5000, () => traced().length >= 2);
    expect(JSON.stringify(traced())).not.toContain('alice@');
    admin.server.watch.untrace(trace.name);
    for (const feed of feeds) await feed.close();
  });

  it('follows an address by JSON, and everything from it', async () => {
    const child = await follow('127.0.0.1', '--count', '6', '--json');
    const told = child.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(told).toHaveLength(6);
    expect(told[0]).toMatchObject({
      transport: 'udp',
      isReceived: true,
      peer: { address: '127.0.0.1', port: phone.port },
    });
    expect(child.stdout).toContain('sip:bob@example.com');
  });

  it('says what is wrong with a name', async () => {
    const child = new Child(process.execPath, [CLI, 'trace', 'follow', 'nobody', '--data', admin.config.data]);
    expect((await child.end(20_000)).code).toBe(1);
    expect(child.stderr).toMatch(/aorta: "nobody" is neither an AOR .* nor an IP address/);
  });

  it('writes a capture file', async () => {
    const file = join(admin.config.data, 'alice.pcap');
    await follow('alice@example.com', '--count', '4', '--pcap', file);
    const bytes = readFileSync(file);
    expect([bytes.readUInt32LE(0), bytes.readUInt32LE(20), bytes[40]]).toEqual([0xa1b2c3d4, 101, 0x45]);
    if (peerMissing('tshark')) return console.warn('tshark is not installed: what it reads is not looked at');
    const fields = ['udp.srcport', 'sip.Method', 'sip.Status-Code', 'sip.to.user'].flatMap((field) => ['-e', field]);
    const port = admin.server.listen[0].port;
    const tshark = await run(
      'tshark',
      ['-r', file, '-d', `udp.port==${port},sip`, '-T', 'fields', '-E', 'separator=|', ...fields],
      30_000,
    );
    const rows = tshark.stdout.trim().split('\n');
    expect(rows.slice(0, 2)).toEqual([`${phone.port}|REGISTER||alice`, `${port}||200|alice`]);
    return undefined;
  });

  it('draws a ladder on a terminal', async () => {
    const run = new TerminalRun(['trace', 'follow', 'alice@example.com', '--data', admin.config.data], {
      columns: 80,
      rows: 24,
    });
    await run.until(/Nothing yet/);
    await until('an answer on the ladder', () => /◀.* 200 OK /.test(run.output));
    run.type('\r');
    await run.until(/Call-ID: /);
    run.type('q');
    expect(await run.ended()).toBe(0);
    expect(run.output).toMatch(/\u001b\[\?1049l\s*$/);
  });
});

describe('the ladder', () => {
  const message = (isReceived: boolean, text: string, port = 5070): FollowedMessage => ({
    at: 1_700_000_000_123,
    isReceived,
    transport: 'udp',
    peer: { address: '192.0.2.7', port },
    local: { address: '192.0.2.1', port: 5060 },
    bytes: Buffer.from(text),
  });
  const messages = [
    message(true, 'REGISTER sip:example.com SIP/2.0\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@b>\r\n\r\n'),
    message(false, 'SIP/2.0 401 Unauthorized\r\n\r\n'),
    message(
      true,
      'REGISTER sip:example.com SIP/2.0\r\nCSeq: 2 REGISTER\r\nExpires: 0\r\nAuthorization: (left out)\r\n\r\n',
    ),
    message(false, 'SIP/2.0 200 \u001b[2J電話\r\n\r\n'),
    message(true, 'OPTIONS sip:example.com SIP/2.0\r\nCSeq: 7 OPTIONS\r\n\r\n', 5090),
  ];
  const newest: LadderState = { chosen: undefined, isOpen: false, scrolled: 0 };
  const page = { name: 'alice@example.com', messages, missed: 2, file: 'a.pcap' };
  const draw = (state: LadderState, columns = 80, rows = 24) => drawLadder(page, state, columns, rows, painter(false));

  it.each([
    [80, 24],
    [60, 8],
    [160, 40],
  ])('fits %d by %d', (columns, rows) => {
    for (const state of [newest, { ...newest, chosen: 2, isOpen: true }]) {
      const lines = draw(state, columns, rows);
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
      expect(lines.join('')).not.toContain('\u001b');
    }
  });

  it('has an arrow from the peer to Aorta or back, with what the message is', () => {
    const lines = draw(newest);
    expect(lines[0]).toBe('aorta trace  alice@example.com  5 messages  2 missed  a.pcap');
    expect(lines[1]).toMatch(/^ {14}192\.0\.2\.7:5070 +192\.0\.2\.7:5090 +aorta/);
    expect(lines[3]).toMatch(/^\d\d:\d\d:\d\d\.123 {2}│─+ REGISTER 1 ─+▶│ *$/);
    expect(lines[4]).toMatch(/│◀─+ 401 Unauthorized ─+│/);
    expect(lines[5]).toContain(' REGISTER 2 (removes, with credentials) ');
    expect(lines[7]).toMatch(/│ {10,}│─+ OPTIONS 7 ─+▶│/);
  });

  it('chooses and opens messages by keys', () => {
    const up = stateAfter(newest, 'up', 5);
    expect(up.chosen).toBe(3);
    expect(stateAfter(up, 'down', 5).chosen).toBeUndefined();
    expect(draw(stateAfter({ ...newest, chosen: 0 }, 'enter', 5)).join('\n')).toContain('CSeq: 1 REGISTER');
    expect(stateAfter({ ...up, isOpen: true }, 'escape', 5).isOpen).toBe(false);
  });
});
