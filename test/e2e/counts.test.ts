// What a batch of refreshes costs in system calls, and the bytes that these move. The server stands still while the requests arrive, so that it
// finds them all at once, and the counts are the same on a busy machine.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, pause, poll, run } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

const PHONES = 64;
/** Calls that move bytes or sync them. */
const MOVING = [
  'recvmmsg',
  'sendmmsg',
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'pwritev2',
  'fdatasync',
  'fsync',
  'msync',
];
/** Of all kinds: 13 and a few, since a timer may be due in between. */
const CALLS_MAX = 18;
/** Written to disk for each refresh: whole pages of 4096 bytes for the batch, three or four. */
const BYTES_MAX = 260;

interface Call {
  readonly thread: string;
  readonly name: string;
  readonly result: number;
  readonly text: string;
}

function readTrace(file: string): Call[] {
  const begun = new Map<string, string>();
  return readFileSync(file, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
      if (thread === undefined) return [];
      if (rest.includes('<unfinished ...>')) {
        begun.set(thread, rest);
        return [];
      }
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
      const text = resumed ? (begun.get(thread) ?? '') + resumed[1] : rest;
      const name = /^(\w+)\(/.exec(text)?.[1];
      const result = /= (-?\d+)/.exec(text.slice(text.lastIndexOf(')')))?.[1];
      return name === undefined ? [] : [{ thread, name, result: Number(result), text }];
    });
}

/** Resolves when SIGSTOP has stopped every thread: the tracer passes it on to one after the other. */
function standsStill(pid: number): Promise<boolean> {
  const tasks = `/proc/${pid}/task`;
  const isStopped = (thread: string) => /\) [tT] /.test(readFileSync(join(tasks, thread, 'stat'), 'latin1'));
  return poll('the server stands still', 10_000, () => readdirSync(tasks).every(isStopped), 10);
}

const probe = await run('strace', ['-f', '-o', '/dev/null', 'true'], 5000);
const reason = probe.exit.code === 0 ? undefined : probe.stderr.trim();
if (reason !== undefined) console.warn(`skipped: strace may not trace here: ${reason}`);

describe.skipIf(process.platform !== 'linux' || peerMissing('strace') || reason !== undefined)('a batch', () => {
  const file = join(temporaryDirectory(), 'trace');
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    aorta = await Aorta.start({
      udp: 'auto',
      shards: 1,
      flags: ['--durability', 'durable'],
      // Compiled before the first message, as everywhere but in tests.
      under: ['strace', '-E', 'AORTA_WARM_UP=on', '-D', '-f', '-s', '0', '-o', file],
    });
    client = await SipClient.open(aorta);
  });

  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  let cseq = 0;
  const register = (phone: number) =>
    client.register({
      aor: `phone${phone}@example.com`,
      callId: `count-${phone}`,
      cseq,
      contacts: [`<sip:phone${phone}@127.0.0.1:1>`],
      expires: 600,
    });

  /** Calls of the shard's thread from the one that receives all of them to the one that sends all answers. */
  async function batch(): Promise<Call[]> {
    cseq++;
    const texts = Array.from({ length: PHONES }, (_, phone) => register(phone));
    const from = readTrace(file).length;
    aorta.child.signal('SIGSTOP');
    await standsStill(aorta.child.pid);
    // Once each: a retransmission would make the batch larger.
    const answers = texts.map((text) => client.answerTo(text, 20_000));
    await Promise.all(texts.map((text) => client.sent(text)));
    await pause(200); // for the kernel, which may deliver later than it has taken them
    aorta.child.signal('SIGCONT');
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    return poll('the trace of the batch', 15_000, () => {
      const calls = readTrace(file).slice(from);
      const received = calls.findIndex(({ name, result }) => name === 'recvmmsg' && result === PHONES);
      const sent = calls.findIndex(({ name, result }, n) => n > received && name === 'sendmmsg' && result > 0);
      if (received < 0 || sent < 0) return undefined;
      return calls.slice(received, sent + 1).filter(({ thread }) => thread === calls[received].thread);
    });
  }

  it(`of ${PHONES} refreshes: one call that receives, three that make it durable, one that sends`, async () => {
    await batch(); // they are registered
    const calls = await batch();
    const moving = calls.filter(({ name }) => MOVING.includes(name));
    expect(moving.map(({ name }) => name)).toEqual(['recvmmsg', 'writev', 'fdatasync', 'pwrite64', 'sendmmsg']);
    // All to one address: one message, which the kernel cuts into 64 datagrams.
    expect(moving.at(-1)?.result).toBe(1);
    // Besides, threads are woken, and the log reads what it has synced.
    expect(calls.length, calls.map(({ name }) => name).join(' ')).toBeLessThanOrEqual(CALLS_MAX);
    const written = moving.filter(({ name }) => /write/.test(name)).reduce((sum, { result }) => sum + result, 0);
    expect(written / PHONES).toBeLessThanOrEqual(BYTES_MAX);
  });
});
