// Changes as webhooks: a real receiver, a real server, and both of them failing.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../../src/index.ts';
import { collectGarbage } from '../../../src/threads/rehearsal/collect-garbage.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../../support/child-process.ts';
import { freePort } from '../../support/free-ports.ts';
import { patience } from '../../support/patience.ts';
import { SipClient } from '../../support/sip-client.ts';

const ROOT = join(import.meta.dirname, '../../..');
const SECRET = 'a secret of the receiver';
/** After so long a phone expects no answer of a server that was killed. */
const GIVE_UP_MS = 1500;

interface Received {
  readonly type: string;
  readonly sequence: number;
  readonly aor?: string;
  readonly binding?: { readonly uri: string };
}

/** Takes webhooks as their receiver does; may be told to refuse them. */
class Receiver {
  readonly events: Received[] = [];
  readonly ids: string[] = [];
  wrong = 0;
  requests = 0;
  headers: NodeJS.Dict<string | string[]> = {};
  /** Status of the next answers. */
  status = 204;
  private server: Server | undefined;
  private port = 0;

  async open(): Promise<string> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        this.requests++;
        this.headers = request.headers;
        const body = Buffer.concat(parts).toString();
        const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
        const right = `v1,${createHmac('sha256', SECRET).update(`${id}.${at}.${body}`).digest('base64')}`;
        if (signature !== right || Math.abs(Date.now() / 1000 - Number(at)) > 30) this.wrong++;
        else if (this.status < 300) {
          this.ids.push(String(id));
          this.events.push(...(JSON.parse(body) as { events: Received[] }).events);
        }
        // Where a redirect leads, everything is taken.
        const taken = request.url?.endsWith('/elsewhere') ? 204 : this.status;
        response.writeHead(taken, { location: `${request.url}/elsewhere` }).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.port}/aorta`;
  }

  /** Nobody listens there any more. */
  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
    this.server = undefined;
  }

  get told(): string[] {
    return this.events.map(({ type, aor }) => `${type} ${aor?.split('@')[0]}`);
  }
}

const receivers: Receiver[] = [];
const open: Registrar[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registrar) => registrar.stop()));
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
});
afterAll(async () => {
  await killAll();
  removeDirectories();
});

function receiver(): Receiver {
  const one = new Receiver();
  receivers.push(one);
  return one;
}

async function started(options: RegistrarOptions): Promise<Registrar> {
  const registrar = createRegistrar({ domains: ['example.com'], threads: false, ...options });
  open.push(registrar);
  await registrar.start();
  return registrar;
}

const add = (registrar: Registrar, user: string) =>
  registrar.bindings.add(`${user}@example.com`, { contact: `sip:${user}@192.0.2.1` });

describe('webhooks', () => {
  it('are signed, and have the changes in their order', async () => {
    const to = receiver();
    const webhook = { url: await to.open(), secret: SECRET, headers: { 'x-tenant': 'one' } };
    const registrar = await started({ data: temporaryDirectory(), feed: { webhook } });
    await add(registrar, 'alice');
    await add(registrar, 'bob');
    await registrar.bindings.remove('alice@example.com');
    await poll('three changes', 5000, () => to.events.length >= 3);
    expect(to.told).toEqual(['registered alice', 'registered bob', 'removed alice']);
    expect(to.events[0]).toMatchObject({ aor: 'alice@example.com', binding: { uri: 'sip:alice@192.0.2.1' } });
    expect([to.wrong, to.headers['x-tenant'], to.headers['content-type']]).toEqual([0, 'one', 'application/json']);
  });

  it('are sent again until they are taken, with pauses that grow, and then in their order', async () => {
    const to = receiver();
    const webhook = { url: await to.open(), secret: SECRET, retryMs: 50, retryMaxMs: 200, failures: 3 };
    const told: string[] = [];
    const registrar = await started({
      data: temporaryDirectory(),
      feed: { webhook },
      log: (level, event) => told.push(`${level} ${event}`),
    });
    to.status = 500;
    await add(registrar, 'alice');
    await poll('the breaker', 5000, () => told.includes('error changes wait'));
    await add(registrar, 'bob');
    await to.close();
    await add(registrar, 'carol');
    await to.open();
    to.status = 200;
    await poll('all of them', 5000, () => to.events.length >= 3);
    expect(to.told).toEqual(['registered alice', 'registered bob', 'registered carol']);
    expect(told.filter((line) => line.includes('changes'))).toEqual([
      'warn changes were not accepted',
      'error changes wait',
      'info changes are accepted again',
    ]);
  });

  it('are sent again where the receiver says nothing in time', async () => {
    let requests = 0;
    const silent = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => requests++);
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const webhook = { url, secret: SECRET, timeoutMs: 300, retryMs: 50 };
    const registrar = await started({ data: temporaryDirectory(), feed: { webhook } });
    await add(registrar, 'alice');
    await poll('an attempt', 5000, () => requests > 0);
    collectGarbage(); // which must not take the limit of its time with it
    await poll('the next attempt', 5000, () => requests > 1);
    silent.close();
  });

  it('go on while their place in the feed cannot be written, and are told of that once', async () => {
    const to = receiver();
    const webhook = { url: await to.open(), secret: SECRET, retryMs: 50, retryMaxMs: 100 };
    const told: string[] = [];
    const data = temporaryDirectory();
    const registrar = await started({ data, feed: { webhook }, log: (level, event) => told.push(`${level} ${event}`) });
    const obstacle = join(data, 'feed', 'webhook.json.new'); // a directory in the way, as a full disk would be
    mkdirSync(obstacle);
    await add(registrar, 'alice');
    await poll('the line', 5000, () => told.some((line) => line.startsWith('error')));
    await add(registrar, 'bob');
    await poll('the next change', 5000, () => to.events.length >= 2);
    rmdirSync(obstacle);
    await poll('the end of it', 5000, () => told.includes('info the feed is read and noted again'));
    const noted = JSON.parse(readFileSync(join(data, 'feed', 'webhook.json'), 'utf8')) as { sequence: number };
    expect(noted.sequence).toBe(to.events.at(-1)?.sequence);
    expect(to.told).toEqual(['registered alice', 'registered bob']);
    expect(told.filter((line) => line.startsWith('error'))).toEqual([
      'error the feed cannot be read, or its place not noted',
    ]);
  });

  it.each([302, 307, 404, 410])('are not taken by a receiver that answers %i', async (status) => {
    const to = receiver();
    const webhook = { url: await to.open(), secret: SECRET, retryMs: 50, retryMaxMs: 100 };
    const registrar = await started({ data: temporaryDirectory(), feed: { webhook } });
    to.status = status;
    await add(registrar, 'alice');
    await poll('two attempts', 5000, () => to.requests >= 2);
    to.status = 200;
    await poll('the change', 5000, () => to.events.length >= 1);
    expect(to.told).toEqual(['registered alice']);
  });

  it('go on after a stop where they were', async () => {
    const to = receiver();
    const webhook = { url: await to.open(), secret: SECRET, retryMs: 50 };
    const options = { data: temporaryDirectory(), feed: { webhook } };
    const first = await started(options);
    await add(first, 'alice');
    await poll('the first', 5000, () => to.events.length === 1);
    to.status = 503;
    await add(first, 'bob');
    await poll('an attempt', 5000, () => to.requests >= 2);
    await first.stop();
    to.status = 204;
    const second = await started(options);
    await add(second, 'carol');
    await poll('the rest', 5000, () => to.told.includes('registered carol'));
    // What was on its way at the stop may come twice, with the number that it had; what was taken before comes once.
    const each = to.events.filter(
      ({ sequence }, i) => to.events.findIndex((event) => event.sequence === sequence) === i,
    );
    expect(each.map(({ aor }) => aor?.split('@')[0])).toEqual(['alice', 'bob', 'carol']);
    expect(to.told.filter((told) => told === 'registered alice')).toHaveLength(1);
  });

  it('reach the receiver of docs/operating.md, with its configuration', async () => {
    const document = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8').split('## Changes for other systems')[1];
    const block = (kind: string) => new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(document)?.[1] ?? '';
    const port = String(await freePort());
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'receiver.mjs'), block('js').replace('8099', port));
    const program = new Child(process.execPath, [join(directory, 'receiver.mjs')]);
    const config = join(directory, 'aorta.yaml');
    writeFileSync(config, block('yaml').replace('8099', port).split('  nats:')[0]);
    const aorta = await Aorta.start({ shards: 1, flags: ['--config', config, '--admin', 'http:127.0.0.1:0'] });
    const phone = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1:7>'] }));
    await program.until(/^registered alice@example\.com sip:alice@127\.0\.0\.1:7$/m, 5000);
    const forged = await fetch(`http://127.0.0.1:${port}/aorta`, {
      method: 'POST',
      headers: {
        'webhook-id': '1',
        'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
        'webhook-signature': 'v1,x',
      },
      body: '{"events":[]}',
    });
    expect(forged.status).toBe(401);
    const shown = async (...words: string[]) =>
      (await run(process.execPath, [CLI, 'feed', ...words, '--data', aorta.data], 20_000)).stdout;
    expect(await shown()).toMatch(/^newest change: (\d+)\nto +state .*\nwebhook +up to date +\1 +0\.0s +0 +1 +0\n$/);
    program.killTree();
    await phone.request(phone.register({ aor: 'bob@example.com', contacts: ['<sip:bob@127.0.0.1:7>'] }));
    await poll('a failed attempt', 10_000, async () => {
      const { newest, deliveries } = JSON.parse(await shown('--json'));
      const [{ state, retries, sequence, lagSeconds }] = deliveries;
      return state === 'retrying' && retries > 0 && sequence < newest && lagSeconds > 0;
    });
    phone.close();
    await aorta.stop();
  });

  it('lose no change that was acknowledged to a phone, although the server is killed again and again', async () => {
    const to = receiver();
    const feed = JSON.stringify({ webhook: { url: await to.open(), secret: SECRET, 'retry-ms': 50 } });
    const directory = temporaryDirectory();
    const config = `${directory}/aorta.yaml`;
    writeFileSync(config, `feed: ${feed}\n`);
    let aorta = await Aorta.start({ shards: 2, flags: ['--config', config, '--durability', 'process'] });
    const phone = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    const acknowledged: string[] = [];
    for (let round = 0; round < 2; round++) {
      const requests = Array.from({ length: 60 }, (_, i) => {
        const user = `u${round}-${i}`;
        const contacts = [`<sip:${user}@127.0.0.1:7>`];
        return phone.request(phone.register({ aor: `${user}@example.com`, contacts }), GIVE_UP_MS * patience()).then(
          ({ status }) => {
            if (status === 200) acknowledged.push(`registered ${user}`);
          },
          () => {},
        );
      });
      await requests[20 + round * 20];
      await aorta.kill9();
      await Promise.all(requests);
      aorta = await aorta.restart();
    }
    const missing = () => acknowledged.filter((one) => !to.told.includes(one));
    await poll('all that was acknowledged', 10_000, () => missing().length === 0).catch(() => {});
    expect(acknowledged.length).toBeGreaterThan(40);
    expect(missing()).toEqual([]);
    expect(to.events.filter(({ type }) => type === 'lost')).toEqual([]);
    const numbers = new Map<number, string>();
    for (const { sequence, aor = '' } of to.events) {
      expect(numbers.get(sequence) ?? aor).toBe(aor); // what comes twice has its number again
      numbers.set(sequence, aor);
    }
    await aorta.stop();
    phone.close();
  });
});
