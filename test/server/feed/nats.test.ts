// Changes as NATS messages: a real server with JetStream, gone and back while changes are made.

import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../../src/index.ts';
import { Aorta, removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { selfSigned } from '../../support/certificate.ts';
import { killAll, poll } from '../../support/child-process.ts';
import { NatsServers, natsMissing } from '../../support/nats-servers.ts';
import { SipClient } from '../../support/sip-client.ts';

const ROOT = join(import.meta.dirname, '../../..');

let nats: NatsServers;
const open: Registrar[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registrar) => registrar.stop()));
});

async function ask(subject: string, payload: object): Promise<Record<string, never>> {
  const connection = await connect({ servers: nats.urls });
  try {
    return (await connection.request(`$JS.API.${subject}`, JSON.stringify(payload))).json();
  } finally {
    await connection.close();
  }
}

interface Message {
  readonly subject: string;
  readonly aor: string;
  readonly sequence: number;
}

/** What the stream has. */
async function messages(stream: string): Promise<Message[]> {
  const { state } = (await ask(`STREAM.INFO.${stream}`, {})) as unknown as { state: { last_seq: number } };
  const found: Message[] = [];
  for (let seq = 1; seq <= state.last_seq; seq++) {
    const { message } = (await ask(`STREAM.MSG.GET.${stream}`, { seq })) as unknown as {
      message: { subject: string; data: string };
    };
    const { aor, sequence } = JSON.parse(Buffer.from(message.data, 'base64').toString()) as Message;
    found.push({ subject: message.subject, aor, sequence });
  }
  return found;
}

async function started(options: RegistrarOptions): Promise<Registrar> {
  const registrar = createRegistrar({ threads: false, ...options });
  open.push(registrar);
  await registrar.start();
  return registrar;
}

const add = (registrar: Registrar, aor: string) => registrar.bindings.add(aor, { contact: 'sip:phone@192.0.2.1' });

it('a tls:// server that offers no TLS hears no token', async () => {
  const heard: string[] = [];
  const plain = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => heard.push(bytes.toString('latin1')));
    socket.write('INFO {"server_id":"X","version":"2.11.0","proto":1,"headers":true,"max_payload":1048576}\r\n');
  }).listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const servers = [`tls://127.0.0.1:${(plain.address() as AddressInfo).port}`];
  const told: string[] = [];
  const registrar = await started({
    ...{ domains: ['example.com'], data: temporaryDirectory() },
    feed: { nats: { servers, token: 'secret', retryMs: 50 } },
    log: (_, event, fields) => told.push(`${event}: ${fields?.error}`),
  });
  await add(registrar, 'alice@example.com');
  await poll('a failure', 10_000, () => told.some((line) => line.startsWith('changes were not accepted')));
  expect(heard).toEqual([]);
  expect(told.join()).toMatch(/does not support 'tls'/);
  plain.close();
});

describe.skipIf(natsMissing())('changes by NATS', () => {
  beforeAll(async () => {
    nats = await NatsServers.start({ servers: 1 });
  });
  afterAll(async () => {
    await nats.close();
    await killAll();
    removeDirectories();
  });

  it('reach a stream once each, by domain and kind, also while it or the server was away', async () => {
    const told: string[] = [];
    const options = {
      domains: ['example.com', 'example.org'],
      data: temporaryDirectory(),
      feed: { nats: { servers: nats.urls, retryMs: 50, retryMaxMs: 300, timeoutMs: 1000 } },
      log: (_level: string, event: string, fields?: Record<string, unknown>) => told.push(`${event} ${fields?.error}`),
    };
    const first = await started(options);
    await add(first, 'alice@example.com');
    await poll('the missing stream to be told', 5000, () =>
      told.some((line) => line.includes('no stream accepts aorta.events.example_com.registered')),
    );
    await ask('STREAM.CREATE.changes', { name: 'changes', subjects: ['aorta.events.>'], storage: 'file' });
    await poll('the first change', 5000, async () => (await messages('changes')).length === 1);
    await nats.kill9(0);
    await add(first, 'bob@example.org');
    await first.bindings.remove('alice@example.com');
    await first.stop();
    const second = await started(options);
    await add(second, 'carol@example.com');
    nats.launch(0);
    await nats.ready();
    const all = await poll('all changes', 15_000, async () => {
      const found = await messages('changes');
      return found.length >= 4 ? found : undefined;
    });
    expect(all.map(({ subject, aor }) => `${subject} ${aor}`)).toEqual([
      'aorta.events.example_com.registered alice@example.com',
      'aorta.events.example_org.registered bob@example.org',
      'aorta.events.example_com.removed alice@example.com',
      'aorta.events.example_com.registered carol@example.com',
    ]);
    const numbers = all.map(({ sequence }) => sequence);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it('reach the stream of docs/operating.md, with its configuration', async () => {
    const [, section] = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8').split('## Changes for other systems');
    const [, yaml] = /^```yaml\n([\s\S]*?)^```/m.exec(section) ?? [];
    const [, subjects] = /nats stream add --subjects '(\S+)'/.exec(section) ?? [];
    const [, subject] = /: `(aorta\.events\.example_com\.registered)`/.exec(section) ?? [];
    await ask('STREAM.DELETE.changes', {});
    await ask('STREAM.CREATE.documented', { name: 'documented', subjects: [subjects], storage: 'file' });
    const config = join(temporaryDirectory(), 'aorta.yaml');
    const text = (yaml ?? '').replace('127.0.0.1:4222', nats.urls[0]).replace(/^ {2}webhook:\n( {4}.*\n)+/m, '');
    writeFileSync(config, text);
    const aorta = await Aorta.start({ shards: 1, flags: ['--config', config] });
    const phone = await SipClient.open(aorta);
    await phone.request(phone.register({ contacts: ['<sip:alice@127.0.0.1:7>'] }));
    const [told] = await poll('the change', 10_000, async () => {
      const found = await messages('documented');
      return found.length > 0 ? found : undefined;
    });
    expect(told).toMatchObject({ subject, aor: 'alice@example.com' });
    phone.close();
    await aorta.stop();
    await ask('STREAM.DELETE.documented', {});
  });

  it('go to a server whose certificate is signed by the configured authority, and to no other', async () => {
    const { certFile, keyFile } = selfSigned('nats', 30, 'IP:127.0.0.1');
    const more = `tls { cert_file: "${certFile}", key_file: "${keyFile}" }\n`;
    const secured = await NatsServers.start({ servers: 1, more });
    const servers = [`tls://127.0.0.1:${secured.ports[0]}`];
    const failureWith = async (ca: object) => {
      const told: string[] = [];
      const registrar = await started({
        ...{ domains: ['example.com'], data: temporaryDirectory() },
        feed: { nats: { servers, retryMs: 50, ...ca } },
        log: (_, event, fields) => told.push(`${event}: ${fields?.error}`),
      });
      await add(registrar, 'alice@example.com');
      return poll('a failure', 10_000, () => told.find((line) => line.startsWith('changes were not accepted')));
    };
    expect(await failureWith({})).toMatch(/self-signed certificate/);
    // No stream is there: a server that is trusted says so.
    expect(await failureWith({ ca: certFile })).toMatch(/no stream accepts aorta\.events/);
    await secured.close();
  });

  it('wait for a stream where something else answers; what is sent again is there once', async () => {
    const told: string[] = [];
    const data = temporaryDirectory();
    const start = () =>
      started({
        domains: ['example.com'],
        data,
        feed: { nats: { servers: nats.urls, subject: 'other', retryMs: 50, retryMaxMs: 100, timeoutMs: 1000 } },
        log: (_level, event, fields) => told.push(`${event} ${fields?.error}`),
      });
    const connection = await connect({ servers: nats.urls });
    connection.subscribe('other.>', { callback: (_, message) => void message.respond('{}') });
    await connection.flush();
    const first = await start();
    await add(first, 'alice@example.com');
    await poll('the answer to be told', 5000, () =>
      told.some((line) => line.includes('is answered, but by no stream')),
    );
    await connection.close();
    await ask('STREAM.CREATE.others', { name: 'others', subjects: ['other.>'], storage: 'file' });
    await poll('the change', 5000, async () => (await messages('others')).length === 1);
    await first.stop();
    // As after a crash before the place was noted.
    const place = join(data, 'feed/nats.json');
    rmSync(`${place}.copy`, { force: true });
    writeFileSync(place, '{"sequence": 0}');
    const second = await start();
    await add(second, 'bob@example.com');
    await poll('the next change', 5000, async () =>
      (await messages('others')).some(({ aor }) => aor.startsWith('bob')),
    );
    expect((await messages('others')).map(({ aor }) => aor)).toEqual(['alice@example.com', 'bob@example.com']);
  });
});
