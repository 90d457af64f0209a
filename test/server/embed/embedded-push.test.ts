// A registrar inside a program, in one thread, that wakes devices: by its function and by the messages that it is handed.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createRegistrar } from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { PushReceiver } from '../../support/push-services.ts';
import { request } from '../../support/requests.ts';
import { register } from '../../support/virtual-shard.ts';

const receiver = new PushReceiver();
afterAll(async () => {
  await receiver.close();
  removeDirectories();
});

it('wakes devices for its program, and for lookups that it is handed', async () => {
  await receiver.open();
  const secretFile = join(temporaryDirectory(), 'secret');
  writeFileSync(secretFile, receiver.secret);
  const answers: string[] = [];
  const registrar = createRegistrar({
    domains: ['example.com'],
    threads: false,
    store: 'memory',
    push: { waitMs: 25_000, webhook: { url: receiver.url, secretFile, providers: ['webpush'] } },
    send: (bytes) => void answers.push(bytes.toString('latin1')),
  });
  await registrar.start();
  const source = { address: '127.0.0.1', port: 5099, transport: 'tcp' } as const;
  const contacts = ['<sip:alice@127.0.0.1:5099;transport=tcp;pn-provider=webpush;pn-prid=device-1>'];
  let cseq = 0;
  /** Over a connection of its own; gives its number. */
  const wake = () => {
    const flow = registrar.openFlow(source);
    registrar.handle(Buffer.from(register({ contacts, expires: 600, cseq: ++cseq })), { ...source, flow });
    return flow;
  };
  const answered = (text: string) => poll(text, 3000, () => answers.some((answer) => answer.startsWith(text)));
  const sleep = async (flow: number) => {
    registrar.endFlow(flow);
    expect(registrar.lookup('alice@example.com').contacts).toEqual([]);
  };
  const pushed = (count: number) => poll('the push', 3000, () => receiver.taken.length === count);

  const first = wake();
  await answered('SIP/2.0 200');
  await sleep(first);
  const found = registrar.wake('alice@example.com');
  await pushed(1);
  const second = wake();
  expect((await found).contacts).toHaveLength(1);

  await sleep(second);
  const invite = request({ method: 'INVITE', uri: 'sip:alice@example.com', to: '<sip:alice@example.com>' });
  registrar.handle(Buffer.from(invite), { address: '127.0.0.1', port: 5098, transport: 'udp' });
  await answered('SIP/2.0 100');
  await pushed(2);
  wake();
  await answered('SIP/2.0 302');
  expect(receiver.wrong).toEqual([]);
  await expect(registrar.wake('alice@elsewhere.example')).rejects.toThrow(RangeError);
  await registrar.stop();
});
