// Connections of a shard that dies and comes back.

import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { startPool } from '../../src/threads/pool.ts';
import { nativeUdp } from '../../src/transport/linux/native-udp.ts';
import { bundle } from '../support/bundle.ts';
import { poll } from '../support/child-process.ts';

const native = nativeUdp();
if (typeof native === 'string') console.log(`TCP in shards is not tested here: ${native}`);

const REQUEST = 'REGISTER sip:example.com SIP/2.0\r\nCall-ID: echo\r\nContent-Length: 0\r\n\r\n';
/** Comes back as it is, which is a request of the shard's. */
const UNANSWERED = 'NOTIFY sip:example.com SIP/2.0\r\nCall-ID: echo\r\nContent-Length: 0\r\n\r\n';

interface Phone {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

function phone(port: number): Promise<Phone> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const it: Phone = { socket, text: '', closed: false };
    socket.on('data', (bytes) => {
      it.text += String(bytes);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      it.closed = true;
    });
    socket.once('connect', () => resolve(it));
  });
}

it.skipIf(typeof native === 'string')(
  'a shard that dies keeps its connections, but for those in the middle of a message or without an answer',
  async () => {
    const pool = await startPool({
      shards: 1,
      listeners: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
      udp: 'auto',
      durability: 'process',
      policy: DEFAULT_POLICY,
      secret: new Uint8Array(32),
      log: () => {},
      taskFile: await bundle('test/threads/echo-task.mjs'),
    });
    const [whole, half, asked] = await Promise.all([1, 2, 3].map(() => phone(pool.listeners[0].port)));
    for (const { socket } of [whole, half]) socket.write(REQUEST);
    await poll('both answers', 5000, () => [whole, half].every(({ text }) => text.endsWith('\r\n\r\n')));
    half.socket.write(REQUEST.slice(0, 40));
    asked.socket.write(UNANSWERED);
    await poll('a request from the shard', 5000, () => asked.text === UNANSWERED);
    await poll('the half message to be read', 5000, async () => {
      whole.socket.write('\r\n\r\n');
      await new Promise((resolve) => whole.socket.once('data', resolve));
      return true;
    });
    pool.crash(0);
    await poll('the half one and the unanswered one to be closed', 5000, () => half.closed && asked.closed);
    whole.text = '';
    whole.socket.write(REQUEST);
    await poll('an answer by the shard that came back', 5000, () => whole.text.endsWith('\r\n\r\n'));
    expect([pool.restarts, whole.closed, pool.connections.open]).toEqual([1, false, 1]);
    whole.socket.destroy();
    await pool.stop();
  },
);
