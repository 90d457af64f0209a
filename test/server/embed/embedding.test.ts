// The embedding API: a registrar inside a program, through the package's one public module, with threads and without.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type BindingEvent,
  COUNTER,
  ConfigError,
  createRegistrar,
  DataDirectoryError,
  type LostEvents,
  type MessageTarget,
  type Registrar,
  type RegistrarOptions,
} from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { freePort } from '../../support/free-ports.ts';
import { SipClient } from '../../support/sip-client.ts';
import { StreamClient } from '../../support/stream-client.ts';
import { register } from '../../support/virtual-shard.ts';

afterAll(removeDirectories);

const open: Registrar[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registrar) => registrar.stop()));
});

async function started(options: RegistrarOptions): Promise<Registrar> {
  const registrar = createRegistrar({ domains: ['example.com'], ...options });
  open.push(registrar);
  await registrar.start();
  return registrar;
}

const sum = (registrar: Registrar, index: number): number =>
  registrar.counters().reduce((total, shard) => total + shard[index], 0);

const uris = (registrar: Registrar, aor: string): string[] => registrar.lookup(aor).contacts.map(({ uri }) => uri);

describe('createRegistrar with threads', () => {
  it('serves until it is stopped, looks up, tells what happens, and keeps the bindings for the next one', async () => {
    const options = { listen: ['udp:127.0.0.1:0'], data: temporaryDirectory(), shards: 2 };
    const events: string[] = [];
    const registrar = await started({ ...options, log: (_level, event) => events.push(event) });
    const [{ host, port }] = registrar.listen;
    expect(host).toBe('127.0.0.1');
    const told: (BindingEvent | LostEvents)[] = [];
    const enough = new Promise<void>((resolve) => {
      registrar.subscribe((event) => {
        if (told.push(event) === 2) resolve();
      });
    });
    const client = await SipClient.open({ address: host, port });
    await client.request(client.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1:5070>'] }));
    const bob = client.register({ aor: 'bob@example.com', contacts: ['<sip:bob@127.0.0.1:5071>;q=0.5'] });
    await client.request(bob);
    await enough;
    expect(told.map((event) => event.type !== 'lost' && [event.type, event.aor, event.binding.uri]).sort()).toEqual([
      ['registered', 'alice@example.com', 'sip:alice@127.0.0.1:5070'],
      ['registered', 'bob@example.com', 'sip:bob@127.0.0.1:5071'],
    ]);
    expect(registrar.lookup('sip:bob@EXAMPLE.com;transport=udp')).toMatchObject({
      aor: 'bob@example.com',
      contacts: [{ uri: 'sip:bob@127.0.0.1:5071', q: 0.5, expires: 3599 }],
      fallbacks: [],
    });
    expect(uris(registrar, 'nobody@example.com')).toEqual([]);
    expect(() => registrar.lookup('bob@elsewhere.example')).toThrow(/not served/);
    expect(() => registrar.lookup('not an address')).toThrow(RangeError);
    client.close();
    expect([sum(registrar, COUNTER.registered), sum(registrar, COUNTER.bindings)]).toEqual([2, 2]);
    await registrar.stop();
    await registrar.stop();
    expect(events).toContain('shard open');
    expect(() => registrar.lookup('bob@example.com')).toThrow(/stopped/);

    const again = await started(options);
    expect(uris(again, 'alice@example.com')).toEqual(['sip:alice@127.0.0.1:5070']);
  });

  it('R5626-7-01 tells of a binding whose connection ends, which no lookup gives from then on', async () => {
    const registrar = await started({ listen: ['tcp:127.0.0.1:0'], data: temporaryDirectory(), shards: 2 });
    const told: (BindingEvent | LostEvents)[] = [];
    registrar.subscribe((event) => told.push(event));
    const [{ host, port }] = registrar.listen;
    const phone = await StreamClient.tcp({ address: host, port });
    const uri = `sip:alice@127.0.0.1:${phone.localPort};transport=tcp`;
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: [`<${uri}>`] }));
    expect(registrar.lookup('alice@example.com').contacts).toMatchObject([{ uri, direct: true }]);
    phone.close();
    await poll('its end to be told', 5000, () => told.length === 2);
    expect(uris(registrar, 'alice@example.com')).toEqual([]);
    expect(told).toMatchObject([
      { type: 'registered' },
      { type: 'flow-ended', aor: 'alice@example.com', binding: { uri } },
    ]);
  });

  it('takes messages from the program beside those of its listeners', async () => {
    const answers: [string, MessageTarget][] = [];
    let answered = (): void => {};
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        answered = resolve;
      });
    const registrar = await started({
      data: temporaryDirectory(),
      shards: 2,
      send: (bytes, target) => {
        answers.push([bytes.toString(), target]);
        answered();
      },
    });
    const bare = registrar.handle as (bytes: Uint8Array) => void;
    expect(() => bare(Buffer.from('x'))).toThrow(
      new TypeError('handle(bytes, source): source is missing: { address, port } of the sender'),
    );
    const first = next();
    registrar.handle(Buffer.from(register({ contacts: ['<sip:alice@192.0.2.4>'] })), { address: '::1', port: 4444 });
    await first;
    expect(answers[0][0]).toMatch(/^SIP\/2\.0 200 /);
    expect(answers[0][1]).toEqual({ address: '::1', port: 4444, transport: 'udp' });
    expect(registrar.lookup('alice@example.com').contacts).toMatchObject([
      { received: 'sip:[::1]:4444;transport=udp' },
    ]);
  });

  it('R5626-7-01 keeps what came over a connection of the program for as long as that stands, and not over a restart', async () => {
    const data = temporaryDirectory();
    const listen = [`udp:127.0.0.1:${await freePort()}`];
    const lookup = { sip: 'anyone' } as const;
    const registrar = await started({ data, listen, lookup, shards: 2, send: () => {} });
    const told: (BindingEvent | LostEvents)[] = [];
    registrar.subscribe((event) => told.push(event));
    const at = { address: '192.0.2.4', port: 4444, transport: 'wss' } as const;
    const [one, two] = [registrar.openFlow(at), registrar.openFlow(at)];
    const via = 'SIP/2.0/WSS x.invalid;branch=z9hG4bKw';
    const send = (user: string, flow: number): void =>
      registrar.handle(
        Buffer.from(
          register({ to: `<sip:${user}@example.com>`, contacts: [`<sip:${user}@x.invalid>`], via, callId: user }),
        ),
        { ...at, flow },
      );
    send('alice', one);
    send('bob', two);
    await poll('both', 5000, () => told.length === 2);
    const found = (user: string) =>
      registrar.lookup(`${user}@example.com`).contacts.map(({ flow, direct }) => [flow, direct]);
    expect([found('alice'), found('bob')]).toEqual([[[one, true]], [[two, true]]]);
    const client = await SipClient.open({ address: '127.0.0.1', port: registrar.listen[0].port });
    const ask = async () => (await client.request(client.other('MESSAGE', 'sip:alice@example.com'))).status;
    expect(await ask()).toBe(302);

    registrar.endFlow(one);
    expect([found('alice'), await ask()], 'from that moment on').toEqual([[], 404]);
    await poll('its end to be told', 5000, () => told.length === 3);
    expect(told[2]).toMatchObject({ type: 'flow-ended', aor: 'alice@example.com', binding: { flow: one } });
    expect(() => send('alice', one)).toThrow(RangeError);
    registrar.endFlow(one); // known
    client.close();

    await registrar.stop();
    const again = await started({ data, send: () => {} });
    expect(uris(again, 'bob@example.com'), 'whose connection ended with the program').toEqual([]);
    expect([one, two]).not.toContain(again.openFlow(at));
  });

  it('has a limit of connections', async () => {
    const connections = { max: 2 };
    const at = { address: '192.0.2.4', port: 4444, transport: 'tcp' } as const;
    for (const threads of [true, false]) {
      const registrar = await started({ data: temporaryDirectory(), connections, threads, send: () => {} });
      const first = registrar.openFlow(at);
      registrar.openFlow(at);
      expect(() => registrar.openFlow(at)).toThrow(/limits/);
      registrar.endFlow(first);
      expect([0, first]).not.toContain(registrar.openFlow(at));
      expect(() => registrar.openFlow(at)).toThrow(/limits/);
    }
  });

  it('refuses what the command refuses', async () => {
    const data = temporaryDirectory();
    const listen = [`udp:127.0.0.1:${await freePort()}`];
    await started({ data, listen });
    await expect(started({ data, listen: ['udp:127.0.0.1:0'] })).rejects.toThrow(DataDirectoryError);
    const other = { data: temporaryDirectory(), listen };
    await expect(started(other)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await open[0].stop();
    // What failed left nothing behind.
    await started(other);
  });
});

describe('options that make no sense', () => {
  const refused = (options: object): readonly string[] => {
    const data = join(temporaryDirectory(), 'data');
    try {
      createRegistrar({ data, ...options });
    } catch (error) {
      expect(existsSync(data), 'nothing has been done').toBe(false);
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    return [];
  };
  const open = ['udp:0.0.0.0:15060'];
  const beyond = 'can be reached from other machines';

  it.each<[object, string]>([
    [{ listen: open, auth: 'none' }, beyond],
    [{ listen: open, auth: { mode: 'none' } }, 'add allowUnauthenticated: true'],
    [{ multicast: { interface: '192.0.2.20' }, auth: 'none' }, 'multicast: the group can be reached'],
    [{ listen: open, auth: 'Digest' }, 'auth.mode: expected one of none, digest, got "Digest", did you mean "digest"?'],
    [{ auth: { mode: 'digest', algorithms: ['SHA256'] } }, 'got "SHA256", did you mean "SHA-256"?'],
    [{ auth: { mod: 'digest' } }, 'auth.mod: unknown key, did you mean "mode"?'],
    [{ auth: false }, 'auth: expected keys and values, got false'],
    [{ lisen: open }, 'lisen: unknown key, did you mean "listen"?'],
    [{ listen: ['upd:127.0.0.1:5060'] }, '(got "upd:127.0.0.1:5060"), did you mean "udp"?'],
    [{ listen: [{ transport: 'udp', host: 'localhost', port: 5060 }] }, '"localhost" is not an IP address'],
    [{ listen: 5060 }, 'listen: expected a list, got 5060'],
    [{ minExpiresS: '60' }, 'minExpiresS: unknown key, did you mean "policy.minExpires"?'],
    [{ policy: { minExpiresS: 60 } }, 'policy.minExpiresS: unknown key, did you mean "minExpires"?'],
    [{ policy: { 'min-expires': 60 } }, 'policy.min-expires: unknown key, did you mean "minExpires"?'],
    [{ policy: { minExpires: 100, maxExpires: 50 } }, 'policy.minExpires: 100 is above policy.maxExpires, which is 50'],
    [{ policy: { minExpires: Number.NaN } }, 'policy.minExpires: expected seconds from 1 to 2147483647'],
    [{ 'log-level': 'info' }, 'log-level: unknown key, did you mean "logLevel"?'],
    [{ durability: 'fast' }, 'durability: expected one of durable, process, got "fast"'],
    [
      { domains: ['exa mple.com'] },
      'domains: expected a domain such as example.com, an IP address or *, got "exa mple.com"',
    ],
    [{ domains: [] }, 'domains: is empty'],
    [{ log: 'info' }, 'log: expected a function (level, event, fields); a level is "logLevel", got "info"'],
    [{ send: true }, 'send: expected a function (bytes, target), got true'],
    [{ webSocketHandshake: 'yes' }, 'webSocketHandshake: expected a function'],
    [{ threads: 'no' }, 'threads: expected true or false, got "no", did you mean false?'],
    [{ store: 'ram' }, 'store: expected one of disk, memory, got "ram"'],
    [{ shards: 0 }, 'shards: expected a whole number from 1 to 64, got 0'],
    [{ constructor: 5 }, 'constructor: unknown key'],
    [{ toString: 'x' }, 'toString: unknown key'],
    [{ data: 'a\0b' }, 'data: has a NUL in it'],
    [{ shards: 1n }, 'shards: expected a whole number from 1 to 64, got 1n'],
    [{ data: '' }, 'data: is empty'],
    [{ data: 5 }, 'data: expected a text, got 5'],
    [{ limits: { aorBytes: '64k' } }, 'limits.aorBytes: expected bytes from 16 to 1024, or 64k or 16M, got "64k"'],
    [{ abuse: { failureMax: 5 } }, 'abuse.failureMax: unknown key, did you mean "failuresMax"?'],
    [
      { auth: { provider: { http: { url: 'http://x/{user}', timeout: 5 } } } },
      'timeout: unknown key, did you mean "timeoutMs"?',
    ],
    [{ listen: ['tls:127.0.0.1:0'] }, 'needs a certificate and its key: add tls.cert: FILE and tls.key: FILE'],
    [{ tls: { cert: 'none.pem', key: 'none.key' } }, 'tls.cert: none.pem: no such file'],
    [{ tls: { cert: 'none.pem' } }, 'tls.cert: needs tls.key: FILE beside it'],
    [{ admin: 'http:0.0.0.0:8060', threads: false }, 'admin: needs threads'],
    [{ threads: false, policy: { ping: 'all' } }, 'policy.ping: needs threads'],
    [{ threads: false, domains: { 'a.com': { policy: { ping: 'nat' } } } }, 'domains.a.com.policy.ping: needs threads'],
    [{ threads: false, shards: 2 }, 'shards: without threads there is one'],
    [{ threads: false, location: { shared: true } }, 'location.shared: needs threads'],
    [
      {
        threads: false,
        cluster: { name: 'c', node: 'n1', listen: '127.0.0.1:7422', nats: { servers: ['nats://127.0.0.1:4222'] } },
      },
      'cluster: needs threads',
    ],
  ])('are refused before anything is done: %o', (options, problem) => {
    expect(refused(options)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  it('are told all at once, and as the text they are where there are no options', () => {
    expect(refused({ shards: 0, log: 1, udp: 'x' })).toHaveLength(3);
    for (const none of ['udp:127.0.0.1:5060', null, 5, []])
      expect(() => createRegistrar(none as RegistrarOptions)).toThrow(/expected options/);
  });

  it('do not keep one from the file: durations, sizes, one text for a list, addresses as objects', async () => {
    const events: string[] = [];
    const registrar = await started({
      data: temporaryDirectory(),
      listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
      domains: 'Example.COM',
      policy: { minExpires: '5m', maxExpires: '1h' },
      limits: { answerBytes: '64M' },
      serviceRoute: { 'my-domain.example': 'sip:edge.example.com;lr' },
      logLevel: 'error',
      log: (_level, event) => events.push(event),
    });
    const [{ host, port }] = registrar.listen;
    const client = await SipClient.open({ address: host, port });
    const brief = client.register({ aor: 'alice@example.com', contacts: ['<sip:a@127.0.0.1:5070>'], expires: 299 });
    expect((await client.request(brief)).status).toBe(423);
    client.close();
    expect(events, 'nothing below the level').toEqual([]);
  });
});

describe('createRegistrar without threads in a storm', () => {
  it('R3261-21.5.4-01 puts new registrations off, refreshes live ones, and lets all in once the event loop has time', async () => {
    const statuses = new Map<string, string>();
    const registrar = await started({
      threads: false,
      store: 'memory',
      policy: { overloadTargetMs: 20 },
      send: (bytes) => {
        const text = bytes.toString('latin1');
        statuses.set(/^Call-ID: (.*)\r$/m.exec(text)?.[1] ?? '', text);
      },
    });
    let cseq = 0;
    const ask = (user: string) =>
      registrar.handle(
        Buffer.from(
          register({
            to: `<sip:${user}@example.com>`,
            callId: user,
            cseq: ++cseq,
            contacts: [`<sip:${user}@192.0.2.9>`],
          }),
        ),
        { address: '192.0.2.9', port: 5060 },
      );
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
    ask('live');
    await pause();
    expect(statuses.get('live')).toMatch(/^SIP\/2\.0 200/);
    // A crowd in every turn, and no turn in which the loop had nothing to do.
    let users = 0;
    while (sum(registrar, COUNTER.put_off_new) === 0 && users < 200_000) {
      for (let i = 0; i < 32; i++) ask(`phone${users++}`);
      await turn();
    }
    expect(users, 'the storm was noticed').toBeLessThan(200_000);
    const refused = [...statuses.values()].filter((text) => !text.startsWith('SIP/2.0 200'));
    expect(refused).toHaveLength(sum(registrar, COUNTER.put_off_new));
    for (const text of refused) expect(text).toMatch(/^SIP\/2\.0 503 .*\r\n(.*\r\n)*Retry-After: \d+\r\n/);
    for (let i = 0; i < 32; i++) ask('live');
    await turn();
    expect(statuses.get('live')).toMatch(/^SIP\/2\.0 200/);
    // A pause in which the loop has nothing to do ends the storm; on a busy machine not every pause is one.
    for (let i = 0; i < 1000 && !statuses.get('latecomer')?.startsWith('SIP/2.0 200'); i++) {
      await pause();
      ask('live');
      await pause();
      ask('latecomer');
      await pause();
    }
    expect(statuses.get('latecomer')).toMatch(/^SIP\/2\.0 200/);
  });

  it('one phone after the other is no storm, however long the event loop has no pause', async () => {
    const statuses: string[] = [];
    const registrar = await started({
      threads: false,
      store: 'memory',
      policy: { overloadTargetMs: 5 },
      send: (bytes) => statuses.push(bytes.toString('latin1').slice(0, 11)),
    });
    const until = performance.now() + 100;
    let phones = 0;
    for (; performance.now() < until; phones++) {
      const message = register({
        to: `<sip:p${phones}@example.com>`,
        callId: `${phones}`,
        contacts: ['<sip:p@192.0.2.9>'],
      });
      registrar.handle(Buffer.from(message), { address: '192.0.2.9', port: 5060 });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await poll('an answer to each', 10_000, () => statuses.length === phones);
    expect(new Set(statuses)).toEqual(new Set(['SIP/2.0 200']));
  });
});

describe.each(['memory', 'disk'] as const)('createRegistrar without threads, store %s', (store) => {
  async function inline(options: RegistrarOptions = {}) {
    const answers: [text: string, target: MessageTarget][] = [];
    const waiting: (() => void)[] = [];
    const registrar = await started({
      threads: false,
      store,
      ...(store === 'disk' && { data: temporaryDirectory() }),
      send: (bytes, target) => {
        answers.push([bytes.toString('latin1'), target]);
        waiting.shift()?.();
      },
      ...options,
    });
    const ask = async (text: string, source = { address: '192.0.2.9', port: 5060 }) => {
      const answered = new Promise<void>((resolve) => waiting.push(resolve));
      registrar.handle(Buffer.from(text), source);
      await answered;
      return answers.splice(0)[0];
    };
    return { registrar, ask };
  }

  it('registers, answers where the request came from, looks up and tells', async () => {
    const { registrar, ask } = await inline();
    const told: string[] = [];
    registrar.subscribe((event) => told.push(event.type));
    const [text, target] = await ask(register({ contacts: ['<sip:alice@192.0.2.9>'] }), {
      address: '2001:db8::1',
      port: 7,
    });
    expect(text).toMatch(/^SIP\/2\.0 200 /);
    expect(target).toEqual({ address: '2001:db8::1', port: 7, transport: 'udp' });
    expect(registrar.lookup('alice@example.com').contacts).toMatchObject([
      { uri: 'sip:alice@192.0.2.9', received: 'sip:[2001:db8::1]:7;transport=udp' },
    ]);
    await ask(register({ cseq: 2, contacts: ['*'], expires: 0 }));
    expect(uris(registrar, 'alice@example.com')).toEqual([]);
    expect(told).toEqual(['registered', 'unregistered']);
  });

  it('takes many messages in one turn as one batch, and forgets what has run out', async () => {
    const { registrar, ask } = await inline({ policy: { minExpires: 1 } });
    const texts = Array.from({ length: 600 }, (_, n) =>
      register({ to: `<sip:u${n}@example.com>`, callId: `c${n}`, contacts: ['<sip:u@192.0.2.9>'], expires: 1 }),
    );
    const expired = new Promise<void>((resolve) => {
      let left = 600;
      registrar.subscribe((event) => {
        if (event.type === 'expired' && --left === 0) resolve();
      });
    });
    const asked = Date.now();
    await Promise.all(texts.map((text) => ask(text)));
    expect(registrar.counters()[0][COUNTER.commits]).toBeLessThan(10);
    const found = uris(registrar, 'u599@example.com');
    if (Date.now() < asked + 1000) expect(found).toEqual(['sip:u@192.0.2.9']); // a busy machine may not get here in time
    await new Promise((resolve) => setTimeout(resolve, 1001));
    expect(uris(registrar, 'u599@example.com'), 'never returned, swept or not').toEqual([]);
    await expired;
    expect(registrar.counters()[0][COUNTER.bindings]).toBe(0);
  });

  it('never returns a connection that the program says is gone', async () => {
    const { registrar, ask } = await inline();
    const at = { address: '192.0.2.4', port: 4444, transport: 'wss' } as const;
    const flow = registrar.openFlow(at);
    const source = { ...at, flow };
    await ask(
      register({ contacts: ['<sip:a@x.invalid;transport=ws>'], via: 'SIP/2.0/WSS x.invalid;branch=z9hG4bKw' }),
      source,
    );
    expect(registrar.lookup('alice@example.com').contacts).toMatchObject([{ flow, direct: true }]);
    const told: (BindingEvent | LostEvents)[] = [];
    registrar.subscribe((event) => told.push(event));
    registrar.endFlow(flow);
    expect(uris(registrar, 'alice@example.com')).toEqual([]);
    await poll('its end to be told', 5000, () => told.length > 0);
    expect(told).toMatchObject([
      { type: 'flow-ended', aor: 'alice@example.com', binding: { uri: 'sip:a@x.invalid;transport=ws', flow } },
    ]);
    expect(registrar.counters()[0][COUNTER.bindings]).toBe(0);
  });

  it('needs "send" for messages, and connections that are open', async () => {
    const { registrar } = await inline();
    const text = Buffer.from(register());
    expect(() => registrar.handle(text, { address: 'localhost', port: 1 })).toThrow(RangeError);
    expect(() => registrar.handle(text, { address: '::1', port: 1, transport: 'tcp' })).toThrow(/openFlow/);
    expect(() => registrar.handle(text, { address: '::1', port: 1, transport: 'tcp', flow: 7 })).toThrow(/openFlow/);
    expect(() => registrar.openFlow({ address: 'localhost', port: 1, transport: 'tcp' })).toThrow(RangeError);
    expect(() => registrar.handle(Buffer.alloc(70_000), { address: '::1', port: 1 })).toThrow(RangeError);
    const silent = createRegistrar({ threads: false, store: 'memory' });
    expect(() => silent.handle(text, { address: '::1', port: 1 })).toThrow(/send/);
  });
});

it('without threads keeps its bindings on disk, and says at once what does not go together', async () => {
  const options = { threads: false, data: temporaryDirectory(), domains: ['example.com'] } as const;
  const answered = new Promise<void>((resolve) => {
    const first = createRegistrar({ ...options, send: () => resolve() });
    open.push(first);
    void first.start().then(() => {
      first.handle(Buffer.from(register({ contacts: ['<sip:a@192.0.2.9>'] })), { address: '192.0.2.9', port: 5060 });
    });
  });
  await answered;
  await open[0].stop();
  expect(uris(await started(options), 'alice@example.com')).toEqual(['sip:a@192.0.2.9']);
  expect(() => createRegistrar({ store: 'memory' })).toThrow(ConfigError);
  expect(() => createRegistrar({ threads: false, listen: ['udp:127.0.0.1:0'] })).toThrow(/threads/);
});
