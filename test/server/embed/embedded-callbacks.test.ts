// Functions of a program that a registrar calls: what they do in there (hand in more, throw, reject) harms nothing else.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type BindingEvent, createRegistrar, type LostEvents, type Registrar } from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { register } from '../../support/virtual-shard.ts';

afterAll(removeDirectories);

const open: Registrar[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registrar) => registrar.stop()));
});

const SOURCE = { address: '192.0.2.4', port: 5060 };

function ofUser(user: string, params = ''): Buffer {
  const to = `<sip:${user}@example.com>`;
  const contacts = [`<sip:${user}@192.0.2.4${params}>`];
  return Buffer.from(register({ contacts, to, from: `${to};tag=1`, callId: user }));
}

const userOf = (answer: Buffer): string | undefined => /^To: <sip:(\w+)@/m.exec(answer.toString())?.[1];

describe('a function that a registrar without threads calls', () => {
  it.each([['memory'], ['disk']] as const)('may hand in messages, of which each 200 holds (%s)', async (store) => {
    const answers: string[] = [];
    const told: (string | undefined)[] = [];
    const data = store === 'disk' ? { data: temporaryDirectory() } : {};
    const registrar = createRegistrar({
      domains: ['example.com'],
      threads: false,
      store,
      ...data,
      send: (bytes, { port }) => {
        expect(bytes.toString()).toMatch(/^SIP\/2\.0 200 /);
        answers.push(`${userOf(bytes)} ${port}`);
        if (userOf(bytes) === 'dave') registrar.handle(ofUser('erin'), { address: '192.0.2.4', port: 5064 });
      },
    });
    open.push(registrar);
    const flow = { at: 0 };
    const added: Promise<number>[] = [];
    registrar.subscribe((event: BindingEvent | LostEvents) => {
      told.push(event.type === 'lost' ? 'lost' : `${event.type} ${event.aor}`);
      if (event.type !== 'registered' || event.aor !== 'alice@example.com') return;
      registrar.handle(ofUser('carol'), { address: '192.0.2.4', port: 5062 });
      added.push(registrar.bindings.add('gate@example.com', { contact: 'sip:gate@192.0.2.30' }));
      registrar.endFlow(flow.at);
    });
    await registrar.start();
    const stream = { address: '192.0.2.9', port: 5069, transport: 'wss' } as const;
    flow.at = registrar.openFlow(stream);
    registrar.handle(ofUser('frank', ';transport=ws'), { ...stream, flow: flow.at });
    await poll('the stream to be registered', 5000, () => answers.length === 1);
    registrar.handle(ofUser('alice'), SOURCE);
    registrar.handle(ofUser('dave'), { ...SOURCE, port: 5061 });
    await poll('all answers', 5000, () => answers.length === 5);
    await Promise.all(added);
    expect(answers.sort()).toEqual(['alice 5060', 'carol 5062', 'dave 5061', 'erin 5064', 'frank 5069']);
    for (const user of ['alice', 'carol', 'dave', 'erin', 'gate'])
      expect(registrar.lookup(`${user}@example.com`).contacts, user).toHaveLength(1);
    await poll('the stream to be gone', 5000, () => told.length === 7);
    expect(told.sort()).toEqual([
      'flow-ended frank@example.com',
      'registered alice@example.com',
      'registered carol@example.com',
      'registered dave@example.com',
      'registered erin@example.com',
      'registered frank@example.com',
      'registered gate@example.com',
    ]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no socket');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no socket');
      },
    ],
  ] as const)('costs no other answer its way where it %s, nor a listener the others', async (_how, fail) => {
    const log: unknown[] = [];
    const sent: (string | undefined)[] = [];
    const told: unknown[] = [];
    const registrar = createRegistrar({
      domains: ['example.com'],
      threads: false,
      store: 'memory',
      log: (level, event, fields) => log.push([level, event, fields]),
      send: (bytes) => {
        sent.push(userOf(bytes));
        if (sent.length === 1) return fail();
      },
    });
    open.push(registrar);
    registrar.subscribe((event) => {
      if (event.type !== 'lost' && event.aor === 'bob@example.com') return fail();
    });
    registrar.subscribe((event) => told.push(event.type !== 'lost' && event.aor));
    await registrar.start();
    registrar.handle(ofUser('alice'), SOURCE);
    registrar.handle(ofUser('bob'), SOURCE);
    await poll('both', 5000, () => sent.length === 2 && log.length === 2);
    expect(sent).toEqual(['alice', 'bob']);
    expect(told).toEqual(['alice@example.com', 'bob@example.com']);
    const error = { error: 'Error: no socket' };
    expect(log).toEqual(
      expect.arrayContaining([
        ['error', 'the function "send" failed', error],
        ['error', 'a listener to binding events failed', error],
      ]),
    );
  });
});

describe('what a program without types hands in', () => {
  const made = async (): Promise<Registrar> => {
    const registrar = createRegistrar({ domains: ['example.com'], threads: false, store: 'memory', send: () => {} });
    open.push(registrar);
    await registrar.start();
    return registrar;
  };

  it.each([-1, 65_536, 70_000, 5.5, Number.NaN, '5060', undefined])('is no port: %s', async (port) => {
    const registrar = await made();
    const source = { address: '192.0.2.4', port: port as number };
    expect(() => registrar.handle(ofUser('alice'), source)).toThrow(new RangeError(`${port} is no port`));
    expect(() => registrar.openFlow({ ...source, transport: 'tcp' })).toThrow(new RangeError(`${port} is no port`));
  });

  it.each([['a text'], [[1, 2]], [new ArrayBuffer(4)], [new Uint16Array(4)], [undefined]])(
    'is no message: %j',
    async (bytes) => {
      const registrar = await made();
      expect(() => registrar.handle(bytes as unknown as Buffer, SOURCE)).toThrow(TypeError);
    },
  );

  it.each([[5], [null], [undefined], [{}]])('is no address: %j', async (aor) => {
    const registrar = await made();
    expect(() => registrar.lookup(aor as unknown as string)).toThrow(
      new RangeError(`"${aor}" is no address-of-record such as alice@example.com`),
    );
    await expect(registrar.bindings.get(aor as unknown as string)).rejects.toThrow(RangeError);
  });

  it.each([['*;video'], [[5]], [null]])('are no preferences: %j', async (acceptContact) => {
    const registrar = await made();
    expect(() =>
      registrar.lookup('alice@example.com', { acceptContact: acceptContact as unknown as string[] }),
    ).toThrow(RangeError);
  });
});
