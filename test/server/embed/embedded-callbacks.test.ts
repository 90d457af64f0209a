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
});
