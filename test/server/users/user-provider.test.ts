// Users from a web service, against a real one on this machine: slow, failing, dead, and well again.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { USER_PENDING, USER_UNKNOWN } from '../../../src/core/auth/credential-source.ts';
import { httpSource } from '../../../src/server/users/http-source.ts';
import {
  DEFAULT_PROVIDER_LIMITS,
  type HttpSourceOptions,
  type ProviderLimits,
} from '../../../src/server/users/provider-options.ts';
import { UserProvider } from '../../../src/server/users/user-provider.ts';
import { ha1sOf } from '../../../src/users/ha1.ts';
import { PROVIDER_DOWN, PROVIDER_UP } from '../../../src/users/user-lookup.ts';
import { UserStore } from '../../../src/users/user-store.ts';
import { UserTable } from '../../../src/users/user-table.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { pause, poll } from '../../support/child-process.ts';
import { patience } from '../../support/patience.ts';

const REALM = 'example.com';
const body = (name: string, aors: string[] = []) => {
  const [ha1, ha1_sha256] = ha1sOf(name, REALM, 'pw').map((buffer) => buffer?.toString('hex'));
  return JSON.stringify({ ha1, ha1_sha256, aors });
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const knowing: Handler = (request, response) => {
  const name = new URL(request.url ?? '', 'http://x').searchParams.get('u') ?? '';
  if (name.startsWith('nobody')) response.writeHead(404).end();
  else response.end(body(name, ['desk@example.com']));
};

let service: Server;
let requests: string[] = [];
let handler: Handler = knowing;
let store: UserStore;
let data: string;
let provider: UserProvider | undefined;
let events: string[] = [];

function listen(port = 0): Promise<number> {
  service = createServer((request, response) => {
    requests.push(request.url ?? '');
    handler(request, response);
  });
  return new Promise((resolve) => {
    service.listen(port, '127.0.0.1', () => resolve((service.address() as AddressInfo).port));
  });
}

async function start(options: Partial<HttpSourceOptions & ProviderLimits> = {}, port?: number): Promise<UserProvider> {
  const { headers = {}, ...limits } = options;
  const to = port ?? (service.address() as AddressInfo).port;
  provider = new UserProvider(
    httpSource({ url: `http://127.0.0.1:${to}/u?u={user}&r={realm}`, headers }),
    { ...DEFAULT_PROVIDER_LIMITS, timeoutMs: 10_000, openMs: 200, ...limits },
    store,
    (_, event) => events.push(event),
  );
  await provider.start();
  return provider;
}

function hangUp(): Promise<void> {
  service.closeAllConnections();
  return new Promise((resolve) => service.close(() => resolve()));
}

beforeEach(async () => {
  requests = [];
  events = [];
  handler = knowing;
  data = temporaryDirectory();
  store = UserStore.open(data);
  await listen();
});

afterEach(async () => {
  await provider?.close();
  await store.close();
  await hangUp();
});

afterAll(removeDirectories);

describe('HTTP provider', () => {
  it('is not asked for a user whose name is a step of the path', async () => {
    const p = await start();
    expect([await p.ask('..', REALM), await p.ask('.', REALM), requests]).toEqual(['none', 'none', []]);
  });

  it('fetches a user once however many ask, and the shards find it', async () => {
    const p = await start({ headers: { authorization: 'Bearer t0ken' } });
    let seen: string | undefined;
    handler = (request, response) => {
      seen = request.headers.authorization;
      setTimeout(() => knowing(request, response), 50);
    };
    const table = new UserTable({ data, realms: [REALM], provider: { state: p.state, wanted: () => {} } });
    const answers = await Promise.all(Array.from({ length: 50 }, () => p.ask('alice b&c', REALM)));
    expect(new Set(answers)).toEqual(new Set(['found']));
    expect(requests).toEqual(['/u?u=alice%20b%26c&r=example.com']);
    expect(seen).toBe('Bearer t0ken');
    table.refresh(Date.now());
    const name = Buffer.from('alice b&c');
    const at = table.find(name, 0, name.length, false, 0, 1);
    expect(Buffer.from(table.ha1.subarray(at, at + 32))).toEqual(ha1sOf('alice b&c', REALM, 'pw')[1]);
    const desk = Buffer.from('desk@example.com');
    expect(table.mayRegister(desk, desk.length)).toBe(true);
    expect(await p.ask('alice b&c', REALM)).toBe('found');
    expect(await p.ask('nobody', REALM)).toBe('none');
    expect(await p.ask('nobody', REALM)).toBe('none');
    expect(requests).toHaveLength(2);
    table.close();
  });

  it('leaves an answer in the store for every name that it answers for', async () => {
    const p = await start();
    const table = new UserTable({ data, realms: [REALM], provider: { state: p.state, wanted: () => {} } });
    const lookUp = (name: string) => {
      table.refresh(Date.now());
      const bytes = Buffer.from(name);
      return table.find(bytes, 0, bytes.length, false, 0, 0);
    };
    for (const name of ['nobody', 'co:lon', 'tab\tbed', 'a@b@example.org', 'x'.repeat(256), 'zażółć']) {
      expect(lookUp(name)).toBe(USER_PENDING);
      const answer = await p.ask(name, REALM);
      expect(['found', 'none']).toContain(answer);
      expect(lookUp(name) >= 0).toBe(answer === 'found');
      expect(lookUp(name)).not.toBe(USER_PENDING);
    }
    expect(lookUp('carol@example.com')).toBe(USER_PENDING);
    expect(await p.ask('carol@Example.com', REALM)).toBe('found');
    expect(lookUp('carol@example.com')).toBe(USER_UNKNOWN); // the service told no ha1b
    const carol = lookUp('carol');
    expect(Buffer.from(table.ha1.subarray(carol, carol + 16))).toEqual(ha1sOf('carol', REALM, 'pw')[0]);
    for (const name of ['', 'a\0b', 'x'.repeat(257)]) {
      expect([lookUp(name), await p.ask(name, REALM)]).toEqual([USER_UNKNOWN, 'unavailable']);
    }
    const invalid = Uint8Array.of(0x61, 0xff);
    expect(table.find(invalid, 0, 2, false, 0, 0)).toBe(USER_UNKNOWN);
    table.close();
  });

  it('asks again when an answer has aged', async () => {
    const p = await start({ ttlS: 0.05, negativeTtlS: 0.05 });
    await p.ask('alice', REALM);
    await p.ask('nobody', REALM);
    await pause(80);
    expect([await p.ask('alice', REALM), await p.ask('nobody', REALM)]).toEqual(['found', 'none']);
    expect(requests).toHaveLength(4);
  });

  it.each<[string, Handler]>([
    ['answers 500', (_, response) => void response.writeHead(500).end('x')],
    ['answers 403', (_, response) => void response.writeHead(403).end('x')],
    ['redirects', (_, response) => void response.writeHead(302, { location: '/u?u=x' }).end()],
    ['answers no JSON', (_, response) => void response.end('<html>')],
    ['answers without an HA1', (_, response) => void response.end('{}')],
    ['answers with a wrong HA1', (_, response) => void response.end('{"ha1":"abc"}')],
    ['answers without end', (_, response) => void response.end('x'.repeat(1 << 20))],
    ['breaks off', (request) => void request.socket.destroy()],
    ['says nothing', () => {}],
  ])('is unavailable, and only then, where the service %s', async (_, failing) => {
    const p = await start({ timeoutMs: 1000 });
    handler = failing;
    expect(await p.ask('alice', REALM)).toBe('unavailable');
    handler = knowing;
    expect(await p.ask('alice', REALM)).toBe('found');
  });

  it('uses what it learnt earlier while the service fails', async () => {
    const p = await start({ ttlS: 0.05 });
    await p.ask('alice', REALM);
    await pause(80);
    handler = (_, response) => void response.writeHead(500).end();
    expect([await p.ask('alice', REALM), await p.ask('bob', REALM)]).toEqual(['found', 'unavailable']);
    const before = requests.length;
    expect(await p.ask('alice', REALM)).toBe('found'); // for a little, without another question
    expect(requests).toHaveLength(before);
  });

  it('leaves a failing service alone, says so in shared memory, and recovers by one trial', async () => {
    const p = await start({ failures: 3, openMs: 2000 });
    handler = (_, response) => void response.writeHead(500).end();
    for (let i = 0; i < 10; i++) expect(await p.ask(`user${i}`, REALM)).toBe('unavailable');
    expect(requests).toHaveLength(3);
    expect(p.state[0]).toBe(PROVIDER_DOWN);
    handler = knowing;
    await poll('the breaker half open', 5000, () => p.state[0] === PROVIDER_UP, 10);
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => p.ask(name, REALM)));
    expect(answers[0]).toBe('found');
    expect(await p.ask('d', REALM)).toBe('found');
    expect(events).toEqual([
      'the user service fails',
      'the user service fails and is left alone for a while',
      'the user service answers again',
    ]);
  });

  it('names that cannot exist are answered without the service, and say nothing of its state', async () => {
    const p = await start({ failures: 2, openMs: 300 });
    handler = (_, response) => void response.writeHead(500).end();
    const impossible = async () => [await p.ask('..', REALM), await p.ask(`co:lon${requests.length}`, REALM)];
    expect(await p.ask('alice', REALM)).toBe('unavailable');
    expect(await impossible()).toEqual(['none', 'none']);
    expect(await p.ask('bob', REALM)).toBe('unavailable');
    expect(p.state[0], 'two failures in a row').toBe(PROVIDER_DOWN);
    await poll('the breaker half open', 5000, () => p.state[0] === PROVIDER_UP, 10);
    expect(await impossible()).toEqual(['none', 'none']);
    expect(await p.ask('carol', REALM)).toBe('unavailable');
    expect(p.state[0], 'its trial failed').toBe(PROVIDER_DOWN);
    expect(requests).toHaveLength(3);
    expect(events).toEqual(['the user service fails', 'the user service fails and is left alone for a while']);
  });

  it('rules that make no sense cost their user alone: the service is asked on, and the log names the user once', async () => {
    const p = await start({ failures: 3 });
    const odd = (name: string) => JSON.stringify({ ...JSON.parse(body(name)), policy: { 'max-expires': 'soon' } });
    handler = (request, response) => {
      const name = new URL(request.url ?? '', 'http://x').searchParams.get('u') ?? '';
      if (name.startsWith('odd')) response.end(odd(name));
      else knowing(request, response);
    };
    for (let i = 0; i < 10; i++) expect(await p.ask('odd', REALM)).toBe('unavailable');
    expect(store.learnt({ name: 'odd', realm: REALM })).toBeUndefined();
    expect([await p.ask('alice', REALM), p.state[0]]).toEqual(['found', PROVIDER_UP]);
    expect(p.report.counts).toEqual({ found: 1, none: 0, failed: 10 });
    expect(events).toEqual(['the user service tells of a user what makes no sense']);
  });

  it('meets a dead service with a quick answer, and its return', async () => {
    const port = (service.address() as AddressInfo).port;
    await hangUp();
    const p = await start({ failures: 1 }, port);
    expect(await p.ask('alice', REALM)).toBe('unavailable');
    const began = performance.now();
    await Promise.all(Array.from({ length: 1000 }, (_, i) => p.ask(`user${i}`, REALM)));
    expect(performance.now() - began).toBeLessThan(2000 * patience());
    await listen(port);
    await poll('found', 5000, async () => (await p.ask('alice', REALM)) === 'found', 50);
  });

  it('has bounds: so many questions under way, so many waiting', async () => {
    const p = await start({ concurrency: 4, queueMax: 10, failures: 1000, timeoutMs: 20_000 });
    let active = 0;
    let most = 0;
    handler = (request, response) => {
      most = Math.max(most, ++active);
      setTimeout(() => {
        active--;
        knowing(request, response);
      }, 20);
    };
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => p.ask(`user${i}`, REALM)));
    expect(most).toBe(4);
    expect(answers.filter((answer) => answer === 'found').length).toBeGreaterThanOrEqual(14);
    expect(answers.filter((answer) => answer === 'unavailable').length).toBeGreaterThan(80);
  });

  it('clears what no longer counts when it starts', async () => {
    const old = Date.now() - 1000;
    const learn = (name: string, none: boolean, usableUntil: number) =>
      store.learn({
        name,
        realm: REALM,
        ha1s: none ? [] : ha1sOf(name, REALM, 'pw'),
        aors: [],
        none,
        freshUntil: old,
        usableUntil,
      });
    await Promise.all(Array.from({ length: 1200 }, (_, i) => learn(`old${i}`, i % 2 === 0, old)));
    await learn('kept', false, Date.now() + 60_000);
    await start();
    const left = ['old0', 'old1', 'old599', 'old1199', 'kept'].filter((name) => store.learnt({ name, realm: REALM }));
    expect(left).toEqual(['kept']);
  });

  it('ends with questions under way', async () => {
    const p = await start({ timeoutMs: 60_000 });
    handler = () => {};
    const asked = p.ask('alice', REALM);
    await poll('the question', 5000, () => requests.length > 0, 10);
    await p.close();
    expect(await asked).toBe('unavailable');
  });
});
