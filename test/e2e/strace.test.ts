// The order that durability rests on, seen from the kernel: a REGISTER comes in, its batch is synced to disk, and only then
// does its 200 leave. All in the shard's own thread. And what follows where the kernel will not send it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import { bindings, SipClient } from '../support/sip-client.ts';

interface Call {
  readonly thread: string;
  readonly name: string;
  readonly text: string;
}

/** Calls in the order in which they ended; a call that was interrupted by another thread's line is joined again. */
function readTrace(file: string): Call[] {
  const begun = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (thread === undefined) continue;
    if (rest.includes('<unfinished ...>')) {
      begun.set(thread, rest.replace('<unfinished ...>', ''));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const text = resumed ? (begun.get(thread) ?? '') + resumed[1] : rest;
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name) calls.push({ thread, name, text });
  }
  return calls;
}

async function whyNotTraceable(): Promise<string | undefined> {
  const probe = await run('strace', ['-f', '-o', '/dev/null', 'true'], 5000);
  return probe.exit.code === 0 ? undefined : probe.stderr.trim();
}

const reason = await whyNotTraceable();
if (reason !== undefined) console.warn(`skipped: strace may not trace here: ${reason}`);

describe.skipIf(process.platform !== 'linux' || peerMissing('strace') || reason !== undefined)('system calls', () => {
  const file = join(temporaryDirectory(), 'trace');
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    aorta = await Aorta.start({
      udp: 'auto',
      shards: 1,
      flags: ['--durability', 'durable'],
      // -D: the tracer stands aside, so that signals of the test reach Aorta itself. The first answer cannot be sent.
      // biome-ignore format: a command line
      under: ['strace', '-D', '-f', '-s', '600', '-o', file, '-e', 'trace=recvmmsg,sendmmsg,fdatasync,fsync,msync',
        '-e', 'inject=sendmmsg:error=EPERM:when=1'],
    });
    client = await SipClient.open(aorta);
  });

  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  it('R6026-7.1-01 an answer that the kernel would not send is the answer to the retransmission', async () => {
    const aor = 'unsent@example.com';
    const text = client.register({ aor, contacts: ['<sip:first@127.0.0.1:1>'], expires: 600 });
    client.send(text);
    await poll('the failure', 5000, () => readFileSync(file, 'latin1').includes('EPERM'));
    const later = client.register({ aor, contacts: ['<sip:second@127.0.0.1:1>'], expires: 600 });
    expect(bindings(await client.request(later)).size).toBe(2);
    expect([...bindings(await client.request(text)).keys()]).toEqual(['sip:first@127.0.0.1:1']);
  });

  it('syncs between recvmmsg and sendmmsg of a REGISTER, in one thread; a fetch needs no sync', async () => {
    const register = client.register({ callId: 'traced-register', contacts: ['<sip:a@127.0.0.1:1>'], expires: 600 });
    expect((await client.request(register)).status).toBe(200);
    const fetch = client.register({ callId: 'traced-fetch' });
    expect((await client.request(fetch)).status).toBe(200);
    client.close();
    await aorta.stop();

    const calls = await poll('the trace of both requests', 5000, () => {
      const found = readTrace(file);
      return found.some(({ name, text }) => name === 'sendmmsg' && text.includes('traced-fetch')) ? found : undefined;
    });
    const between = (callId: string): Call[] => {
      const received = calls.findIndex(({ name, text }) => name === 'recvmmsg' && text.includes(callId));
      const sent = calls.findIndex(({ name, text }) => name === 'sendmmsg' && text.includes(callId));
      expect(received, `recvmmsg of ${callId}`).toBeGreaterThanOrEqual(0);
      expect(sent, `sendmmsg of ${callId}`).toBeGreaterThan(received);
      expect(calls[sent].thread).toBe(calls[received].thread);
      return calls.slice(received + 1, sent).filter((call) => call.thread === calls[received].thread);
    };
    const syncs = between('traced-register').filter(({ name }) => /^(fdatasync|fsync|msync)$/.test(name));
    expect(
      syncs.map(({ text }) => / = 0$/.test(text)),
      'syncs before the 200',
    ).toEqual([true]);
    expect(between('traced-fetch').filter(({ name }) => /sync/.test(name))).toEqual([]);
  });
});
