// The command as a person meets it: help, mistakes, the lines it prints and the codes it exits with.

import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { type Child, type Exit, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { SipClient } from '../support/sip-client.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

function aorta(...args: string[]): Promise<Child & { exit: Exit }> {
  return run(process.execPath, [CLI, ...args], 15_000);
}

describe('aorta', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    const ended = await aorta('--version');
    expect([ended.exit.code, ended.stdout.trim()]).toEqual([0, version]);
  });

  it('prints help with every flag and with examples', async () => {
    expect(await aorta('--help')).toMatchObject({
      exit: { code: 0 },
      stdout: expect.stringContaining('aorta serve --domain'),
    });
    const { stdout, exit } = await aorta('serve', '--help');
    expect(exit.code).toBe(0);
    for (const flag of 'config listen domain data shards auth allow-unauthenticated durability udp min-expires max-expires default-expires log-level'.split(
      ' ',
    )) {
      expect(stdout).toContain(`--${flag}`);
    }
    expect(stdout).toContain('Examples:');
  });

  it.each([
    [['serve', '--lisen', 'x'], "aorta: unknown option '--lisen'\n(Did you mean --listen?)"],
    [['serve', 'now'], "aorta: too many arguments for 'serve'. Expected 0 arguments but got 1."],
    [['server'], "aorta: unknown command 'server'\n(Did you mean serve?)"],
    [['serve', '--shards'], "aorta: option '--shards <n>' argument missing"],
    [['serve', '--shards', '0'], 'aorta: --shards: expected a whole number from 1 to 64, got 0'],
    [['serve', '--shards', '2x'], 'aorta: --shards: expected a whole number from 1 to 64, got "2x"'],
    [['serve', '--auth', 'basic'], 'aorta: --auth: expected one of none, digest, got "basic"'],
    [
      ['serve', '--auth', 'Digest'],
      'aorta: --auth: expected one of none, digest, got "Digest", did you mean "digest"?',
    ],
    [
      ['serve', '--max-expires', '1x'],
      'aorta: --max-expires: expected seconds from 1 to 2147483647, or 90s, 30m or 1h, got "1x"',
    ],
    [['serve', '--tls-cert', 'c.pem'], 'aorta: --tls-cert: needs --tls-key FILE beside it'],
    [
      ['serve', '--tls-cert', 'no.pem', '--tls-key', 'no.key'],
      'aorta: --tls-cert: no.pem: no such file\naorta: --tls-key: no.key: no such file',
    ],
    [
      ['serve', '--listen', 'tls:127.0.0.1:5061'],
      'aorta: --listen: tls:127.0.0.1:5061 needs a certificate and its key: add --tls-cert FILE and --tls-key FILE (for a first try, "aorta cert self-signed" makes them)',
    ],
    [['serve', '--domain', 'a@b'], 'aorta: --domain: expected a domain such as example.com, got "a@b"'],
    [
      ['serve', '--min-expires', '90', '--max-expires', '60'],
      'aorta: --min-expires: 90 is above --max-expires, which is 60',
    ],
    [['serve', '--config', 'no-such.yaml'], 'aorta: no-such.yaml: no such file'],
  ])('exits 2 with one clear message: %j', async (args, message) => {
    const ended = await aorta(...args);
    expect(ended.stderr.trim()).toBe(message);
    expect(ended.stdout).toBe('');
    expect(ended.exit.code).toBe(2);
  });

  it('exits 2 with file, line and column for a mistake in the file', async () => {
    const file = join(temporaryDirectory(), 'aorta.yaml');
    writeFileSync(file, 'shards: 2\npolicy:\n  min-expires: 60\n  jitter: 5\n');
    const ended = await aorta('serve', '--config', file);
    expect(ended.stderr).toBe(`aorta: ${file}:4:3: policy.jitter: unknown key\n`);
    expect(ended.exit.code).toBe(2);
  });

  it('refuses an address beyond loopback without authentication, and names the flag that lifts it', async () => {
    const ended = await aorta('serve', '--listen', 'udp:0.0.0.0:5060', '--auth', 'none', '--data', 'none');
    expect(ended.exit.code).toBe(2);
    expect(ended.stderr).toContain('--listen: udp:0.0.0.0:5060 can be reached from other machines');
    expect(ended.stderr).toContain('--allow-unauthenticated');
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe.each(['auto', 'dgram'] as const)('aorta serve --udp %s', (udp) => {
  it('says where it listens, then that it is ready and how to register; SIGTERM ends it with 0', async () => {
    const server = await Aorta.start({ udp, flags: ['--listen', 'udp:127.0.0.1:0'] });
    expect(server.stdout).toMatch(
      new RegExp(
        `^listening udp 127\\.0\\.0\\.1:${server.port}\nlistening udp 127\\.0\\.0\\.1:[1-9][0-9]*\n` +
          `ready: register sip:alice@example\\.com .*registrar 127\\.0\\.0\\.1:${server.port} .*no password\n$`,
      ),
    );
    const client = await SipClient.open(server);
    await client.request(client.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1:5070>'] }));
    client.close();
    await server.stop();
    expect(server.stdout.match(/^ready/gm)).toHaveLength(1);
  });

  it('is ready when its log has said so: the line on stdout is the last of a start', async () => {
    const server = await Aorta.start({ udp, under: ['sh', '-c', 'exec "$@" 2>&1', 'sh'] });
    expect(server.stdout).toMatch(/^[{].*"event":"ready"[}]\nlistening udp [^\n]*\nready: [^\n]*\n$/m);
    await server.stop();
  });

  it('logs JSON: one line per event and none per message', async () => {
    const server = await Aorta.start({ udp });
    const client = await SipClient.open(server);
    for (let i = 0; i < 20; i++) await client.fetch(`user${i}@example.com`);
    client.close();
    await server.stop();
    const events = server.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const event of events) {
      expect(event).toMatchObject({
        level: 'info',
        event: expect.any(String),
        time: expect.stringMatching(/^\d{4}-.*Z$/),
      });
    }
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['ready', 'stopping', 'stopped']));
    expect(events.length).toBeLessThan(12);
  });

  it('exits 1 and names the address when the port is taken', async () => {
    const socket = createSocket('udp4');
    const port = await freePort();
    await new Promise<void>((resolve) => socket.bind({ port, address: '127.0.0.1', exclusive: true }, resolve));
    const server = await Aorta.launch({ udp, port });
    const exit = await server.child.end(15_000);
    socket.close();
    expect(exit.code).toBe(1);
    expect(server.stderr).toContain(
      `aorta: address in use: udp:127.0.0.1:${port}: another process has the port; choose another with --listen `,
    );
    expect(server.stdout).toBe('');
  });

  it('exits 1 and names a flag with another port when the admin listener’s is taken', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const server = await Aorta.launch({ udp, flags: ['--admin', `http:127.0.0.1:${port}`] });
    const exit = await server.child.end(15_000);
    other.close();
    expect(exit.code).toBe(1);
    expect(server.stderr).toMatch(
      new RegExp(`^aorta: address in use: http://127.0.0.1:${port}: .* --admin http:127.0.0.1:[0-9]+ or --lookup `),
    );
  });

  it('exits 1 when another Aorta has the port', async () => {
    const first = await Aorta.start({ udp });
    const second = await Aorta.launch({ udp, port: first.port });
    expect((await second.child.end(15_000)).code).toBe(1);
    expect(second.stderr).toContain(
      `aorta: address in use: udp:127.0.0.1:${first.port}: another process has the port; choose another with --listen `,
    );
    // It has no admin listener, and its directory says whose it is.
    const asked = await run(process.execPath, [CLI, 'ul', 'stats', '--data', first.data], 10_000);
    expect([asked.exit.code, asked.stderr]).toEqual([
      1,
      `aorta: process ${first.child.process.pid} holds ${first.data} without an admin listener: start it with --admin http:127.0.0.1:8060\n`,
    ]);
    await first.stop();
  });

  it.each([
    [['check', '.'], 2],
    [['location', 'import', '.'], 1],
    [['user', 'import', '.'], 1],
  ])('says in words why %j cannot be read', async (words, code) => {
    const data = words[0] === 'check' ? [] : ['--data', temporaryDirectory()];
    const { exit, stderr } = await run(process.execPath, [CLI, ...words, ...data], 10_000);
    expect([exit.code, stderr]).toEqual([code, 'aorta: .: a directory, not a file\n']);
  });
});

describe('the data directory at the start', () => {
  it('exits 1 and says who has it', async () => {
    const first = await Aorta.start();
    const second = await Aorta.launch({ data: first.data });
    expect((await second.child.end(15_000)).code).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`^aorta: .*${first.data} is in use by process ${first.child.pid}`));
    await first.stop();
  });

  it('exits 1 when a newer version wrote it', async () => {
    const data = temporaryDirectory();
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'aorta.json'), JSON.stringify({ format: 99 }));
    const server = await Aorta.launch({ data });
    expect((await server.child.end(15_000)).code).toBe(1);
    expect(server.stderr).toMatch(/^aorta: the data directory .* was written by a newer version/);
  });

  it.each([
    ['a name that is too long', 'x'.repeat(300)],
    ['a path through a file', 'file/data'],
  ])('exits 1 and says what to do about %s', async (_, name) => {
    const place = temporaryDirectory();
    writeFileSync(join(place, 'file'), '');
    const server = await Aorta.launch({ data: join(place, name) });
    expect((await server.child.end(15_000)).code).toBe(1);
    expect(server.stderr).toMatch(/^aorta: cannot write to the data directory .*start with another --data\n$/);
  });

  it('needs a working directory that is there, and says so', async () => {
    const place = temporaryDirectory();
    mkdirSync(place, { recursive: true });
    const under = ['sh', '-c', 'cd "$0" && rmdir "$0" && exec "$@"', place];
    const server = await Aorta.launch({ under });
    expect((await server.child.end(15_000)).code).toBe(1);
    expect(server.stderr).toMatch(/^aorta: .*the working directory was removed; cd to one that is there.*\n$/);
  });

  it('is missed where it is removed or replaced under a server, which is not ready until it is back', async () => {
    const server = await Aorta.start({ flags: ['--admin', 'http:127.0.0.1:0'] });
    const url = readFileSync(join(server.data, 'admin-url'), 'utf8').trim();
    const ready = async () => {
      const answer = await fetch(`${url}/readyz`);
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await ready()).toContain('200');
    renameSync(server.data, `${server.data}-away`);
    mkdirSync(server.data);
    await poll('missing', 15_000, async () => /^503 .*removed or replaced/.test(await ready()));
    expect(server.stderr).toMatch(/"level":"error".*"event":"the data directory was removed or replaced/);
    rmdirSync(server.data);
    renameSync(`${server.data}-away`, server.data);
    await poll('back', 15_000, async () => (await ready()).startsWith('200'));
    expect(server.stderr.match(/the data directory was removed/g)).toHaveLength(1);
    await server.stop();
  });

  it('keeps its number of shards unless another is asked for', async () => {
    const first = await Aorta.start({ shards: 3 });
    await first.stop();
    const again = await Aorta.start({ data: first.data });
    expect(again.stderr).toContain('"shards":3');
    await again.stop();
    const other = await Aorta.start({ data: first.data, shards: 2 });
    expect(other.stderr).toMatch(/"from_shards":3,"to_shards":2.*"event":"moving bindings"/);
    await other.stop();
  });
});
