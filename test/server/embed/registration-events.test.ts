// Registrations watched through a program's own sockets: NOTIFYs are handed to it like answers, with threads and without.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { addBinding, createRegistrar, type MessageTarget, type Registrar } from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { register } from '../../support/virtual-shard.ts';
import { readNotify, responseTo, subscribe } from '../../support/watcher.ts';

const SOURCE = { address: '192.0.2.9', port: 5060 };

let registrar: Registrar;
afterEach(() => registrar.stop());
afterAll(removeDirectories);

describe.each([false, true])('a program with threads: %s', (threads) => {
  it('sends NOTIFYs and hands their answers in; subscriptions outlive it', async () => {
    const data = temporaryDirectory();
    const sent: { text: string; target: MessageTarget }[] = [];
    const start = async () => {
      registrar = createRegistrar({
        ...{ domains: ['example.com'], data, threads, shards: 1, listen: [] },
        registrationEvents: { enabled: true, notifyInterval: 0 },
        send: (answer, target) => void sent.push({ text: answer.toString('latin1'), target }),
      });
      await registrar.start();
    };
    const hand = (text: string) => registrar.handle(Buffer.from(text, 'latin1'), SOURCE);
    const next = async (starts: string) => {
      await poll(`a message that starts with ${starts}`, 10_000, () =>
        sent.some(({ text }) => text.startsWith(starts)),
      );
      return sent.splice(
        sent.findIndex(({ text }) => text.startsWith(starts)),
        1,
      )[0];
    };
    const told = async () => {
      const { text, target } = await next('NOTIFY ');
      expect(target).toMatchObject({ ...SOURCE, transport: 'udp' });
      hand(responseTo(text));
      return readNotify(text).reginfo;
    };
    await start();
    hand(subscribe());
    expect((await next('SIP/2.0 ')).text).toMatch(/^SIP\/2\.0 200 /);
    expect(await told()).toMatchObject({ version: 0, registration: 'init' });
    hand(register({ contacts: ['<sip:alice@192.0.2.4>'] }));
    expect(await told()).toMatchObject({ version: 1, contacts: [{ uri: 'sip:alice@192.0.2.4', event: 'registered' }] });
    await registrar.stop();
    await start();
    expect(await told()).toMatchObject({ version: 2, state: 'full', contacts: [{ uri: 'sip:alice@192.0.2.4' }] });
  });
});

describe('a program without a directory', () => {
  it('has each AOR told whose static bindings changed, however many changes come between two looks', async () => {
    const told: { aor: string; uris: string[] }[] = [];
    registrar = createRegistrar({
      ...{ domains: ['example.com'], store: 'memory', threads: false, listen: [] },
      registrationEvents: { enabled: true, notifyInterval: 0 },
      send: (message) => {
        const text = message.toString('latin1');
        if (!text.startsWith('NOTIFY ')) return;
        registrar.handle(Buffer.from(responseTo(text), 'latin1'), SOURCE);
        const { aor, contacts } = readNotify(text).reginfo;
        told.push({ aor, uris: contacts.map(({ uri }) => uri) });
      },
    });
    await registrar.start();
    const aors = ['alice@example.com', 'bob@example.com'];
    for (const aor of aors)
      registrar.handle(Buffer.from(subscribe({ uri: `sip:${aor}`, to: `<sip:${aor}>`, callId: aor })), SOURCE);
    await poll('the first documents', 10_000, () => told.length === 2);
    for (const aor of aors) registrar.changeStatic(addBinding(aor, { uri: `sip:gateway-of-${aor}` }));
    await poll('those with the gateways', 10_000, () => told.length === 4);
    expect(told.slice(2).map(({ aor, uris }) => [aor, ...uris])).toEqual(
      aors.map((aor) => [`sip:${aor}`, `sip:gateway-of-${aor}`]),
    );
  });
});
