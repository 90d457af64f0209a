// How long a restart takes until the first right answer, after kill -9, with the files in the page cache and without; and
// what bindings cost in memory and on disk while we are at it.

import { createSocket } from 'node:dgram';
import { statSync } from 'node:fs';
import { failures, type Generator } from '../load/generator.ts';
import { AortaServer, diskBytes, dropCaches, filesNamed, type ServerOptions } from './aorta-server.ts';

export interface Restarts {
  readonly warmS: readonly number[];
  readonly coldS: readonly number[];
  /** After SIGTERM, warm. */
  readonly cleanS: readonly number[];
}

export interface Costs {
  readonly bindings: number;
  readonly memoryPerBinding: number;
  readonly diskPerBinding: number;
  readonly checkpointPerBinding: number;
}

const ASK_MS = 5;
const CHECKPOINT_MS_MAX = 120_000;

/**
 * Rounds of: start, refreshes for a second so that there is a log since the checkpoint, kill, start again. The first right answer is a
 * 200 with the contact of an AOR chosen at random; the time runs from the start of the process.
 */
export async function measureRestarts(
  options: ServerOptions,
  generator: Generator,
  aors: number,
  rounds: number,
  kinds: readonly (keyof Restarts)[],
  tell: (text: string) => void,
): Promise<Restarts> {
  const result = { warmS: [] as number[], coldS: [] as number[], cleanS: [] as number[] };
  let server = await started(options);
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const [phase] = await generator.run(aors, ['--refresh', '--duration', 1, '--order', 'rand']);
      if (failures(phase) > 0) throw new Error(`refreshes failed: ${JSON.stringify(phase)}`);
      if (kind === 'cleanS') await server.stop();
      else await server.kill9();
      if (kind === 'coldS') dropCaches();
      const began = performance.now();
      server = new AortaServer(options);
      const seconds = (await firstAnswer(options.port, aors, generator.localPort, began)) / 1000;
      await server.ready;
      result[kind].push(seconds);
      tell(`round ${round + 1}, ${kind.slice(0, -1)}: ${seconds.toFixed(2)} s to the first right answer`);
    }
  }
  await server.stop();
  return result;
}

/** Anonymous memory beyond what a server without bindings takes, and files, per binding. */
export async function measureCosts(options: ServerOptions, empty: string, aors: number): Promise<Costs> {
  const none = await started({ ...options, data: empty });
  const base = none.anonymousBytes;
  await none.stop();
  const server = await started(options);
  await checkpointed(options);
  const memory = server.anonymousBytes - base;
  await server.stop();
  const checkpoint = filesNamed(options.data, 'checkpoint').reduce((sum, file) => sum + statSync(file).size, 0);
  return {
    bindings: aors,
    memoryPerBinding: memory / aors,
    diskPerBinding: diskBytes(options.data) / aors,
    checkpointPerBinding: checkpoint / aors,
  };
}

export async function started(options: ServerOptions): Promise<AortaServer> {
  const server = new AortaServer(options);
  await server.ready;
  return server;
}

/** Waits until every shard has a checkpoint. */
export async function checkpointed({ data, shards }: ServerOptions): Promise<void> {
  for (const end = Date.now() + CHECKPOINT_MS_MAX; Date.now() < end; ) {
    if (filesNamed(data, 'checkpoint').length === shards && filesNamed(data, 'checkpoint.new').length === 0) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('no checkpoint was written');
}

/** Asks for AORs at random until one is answered with its contact; ms since `began`. */
function firstAnswer(port: number, aors: number, contactPort: number, began: number): Promise<number> {
  const socket = createSocket('udp4');
  let asked = 0;
  return new Promise((resolve, reject) => {
    const ask = () => {
      const user = `user${String(1 + Math.floor(Math.random() * aors)).padStart(8, '0')}`;
      const aor = `<sip:${user}@bench.example.org>`;
      socket.send(
        `REGISTER sip:bench.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKask${began}x${++asked};rport\r\n` +
          `Max-Forwards: 70\r\nFrom: ${aor};tag=ask\r\nTo: ${aor}\r\nCall-ID: ask-${asked}\r\nCSeq: ${asked} REGISTER\r\n` +
          'Content-Length: 0\r\n\r\n',
        port,
        '127.0.0.1',
      );
    };
    const timer = setInterval(ask, ASK_MS);
    const finish = (problem?: string) => {
      clearInterval(timer);
      socket.close();
      if (problem === undefined) resolve(performance.now() - began);
      else reject(new Error(problem));
    };
    socket.on('error', () => {}); // refused, until it listens
    socket.on('message', (bytes) => {
      const text = bytes.toString('latin1');
      const user = /\r\nTo: <sip:(user\d+)@/.exec(text)?.[1] ?? '?';
      const isRight = text.startsWith('SIP/2.0 200 ') && text.includes(`<sip:${user}@127.0.0.1:${contactPort}`);
      finish(isRight ? undefined : `a wrong answer:\n${text}`);
    });
  });
}

/** Seconds from the start of a process on an empty directory until it is ready; by round. */
export async function measureStarts(fresh: () => ServerOptions, rounds: number): Promise<number[]> {
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const server = await started(fresh());
    seconds.push((performance.now() - began) / 1000);
    await server.stop();
  }
  return seconds;
}
