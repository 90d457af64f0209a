// A shard's stream over a real NATS server: what is published, refused, read, followed, and what becomes of it when the server goes.

import { readFileSync } from 'node:fs';
import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StreamSink } from '../../src/cluster/stream.ts';
import { logSubject, streamName } from '../../src/cluster/stream-names.ts';
import { NatsStream } from '../../src/threads/cluster/nats-stream.ts';
import * as abi from '../../src/transport/linux/linux-abi.ts';
import { createAddressMemory, NatsAddresses } from '../../src/transport/nats/nats-addresses.ts';
import { parseLogin } from '../../src/transport/nats/nats-login.ts';
import { createLoginMemory, SharedLogin } from '../../src/transport/nats/shared-login.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { NatsServers, natsMissing } from '../support/nats-servers.ts';
import { patience } from '../support/patience.ts';

const CLUSTER = 'test';

/** Writes down what a stream tells, a line each. */
class Told implements StreamSink {
  readonly lines: string[] = [];

  acknowledged(id: number, sequence: number): void {
    this.lines.push(`acknowledged ${id} ${sequence}`);
  }
  refused(id: number, last: number): void {
    this.lines.push(`refused ${id} ${last}`);
  }
  failed(id: number, reason: string): void {
    this.lines.push(`failed ${id} ${reason}`);
  }
  found(id: number, sequence: number, bytes: Uint8Array, length: number): void {
    this.lines.push(
      `found ${id} ${sequence} ${Buffer.from(bytes.subarray(0, length)).toString('latin1').slice(0, 20)}`,
    );
  }
  missing(id: number, sequence: number): void {
    this.lines.push(`missing ${id} ${sequence}`);
  }
  bounds(id: number, first: number, last: number): void {
    this.lines.push(`bounds ${id} ${first} ${last}`);
  }
  message(sequence: number, bytes: Uint8Array, length: number): void {
    this.lines.push(`message ${sequence} ${Buffer.from(bytes.subarray(0, length)).toString('latin1').slice(0, 20)}`);
  }
}

/** Polls until a line matches; gives it. */
async function until(stream: NatsStream, told: Told, pattern: RegExp, ms = 5000): Promise<string> {
  for (const end = Date.now() + ms * patience(); Date.now() < end; await pause(5)) {
    stream.poll(told);
    const found = told.lines.find((line) => pattern.test(line));
    if (found !== undefined) return found;
  }
  throw new Error(`not told within ${ms} ms: ${pattern}\n${told.lines.join('\n')}`);
}

/** Signals are delivered when the system likes. */
function isStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

let inboxes = 0;

function loginMemory(login: string): SharedArrayBuffer {
  const memory = createLoginMemory();
  if (login !== '') new SharedLogin(memory).set(parseLogin(login));
  return memory;
}

function open(nats: NatsServers, shard: number, login = '', log: (line: string) => void = () => {}): NatsStream {
  const calls = abi.loadCalls();
  if (typeof calls === 'string') throw new Error(calls);
  const addresses = createAddressMemory(nats.ports.length);
  for (const [server, port] of nats.ports.entries()) new NatsAddresses(addresses).set(server, '127.0.0.1', port);
  const access = {
    addresses,
    login: loginMemory(login),
    node: 'a',
    inbox: `_INBOX.t${process.pid}-${++inboxes}`,
  };
  return new NatsStream(calls, {
    cluster: CLUSTER,
    shard,
    access,
    log: (_, event, fields) => log(`${event} ${JSON.stringify(fields)}`),
  });
}

async function connected(stream: NatsStream, told: Told): Promise<void> {
  for (const end = Date.now() + 5000 * patience(); !stream.connected; await pause(5)) {
    if (Date.now() > end) throw new Error('no connection');
    stream.poll(told);
  }
}

async function makeStream(nats: NatsServers, shard: number): Promise<void> {
  const connection = await connect({ servers: nats.urls });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: streamName(CLUSTER, shard),
    subjects: [logSubject(CLUSTER, shard)],
    storage: StorageType.File,
    num_replicas: 1,
  });
  await connection.close();
}

describe.skipIf(natsMissing())('a stream over NATS', () => {
  let nats: NatsServers;

  beforeAll(async () => {
    nats = await NatsServers.start({ servers: 1 });
  });
  afterAll(async () => {
    await nats?.close();
    await killAll();
  });

  it('takes what expects its last sequence, and refuses what does not', async () => {
    await makeStream(nats, 0);
    const told = new Told();
    const stream = open(nats, 0);
    await connected(stream, told);
    const bytes = Buffer.from('first frame');
    stream.bounds(1);
    expect(await until(stream, told, /^bounds/)).toBe('bounds 1 1 0');
    stream.publish(2, bytes, 5, 0);
    expect(await until(stream, told, / 2 /)).toBe('acknowledged 2 1');
    stream.publish(3, bytes, bytes.length, 0);
    expect(await until(stream, told, / 3 /)).toBe('refused 3 1');
    stream.publish(4, bytes, bytes.length, 1);
    expect(await until(stream, told, / 4 /)).toBe('acknowledged 4 2');
    stream.read(5, 1);
    stream.read(6, 9);
    expect(await until(stream, told, /found 5/)).toBe('found 5 1 first');
    expect(await until(stream, told, / 6 /)).toBe('missing 6 9');
    stream.close();
  });

  it('is followed in order, from where one wants, large messages among small', async () => {
    await makeStream(nats, 1);
    const told = new Told();
    const stream = open(nats, 1);
    await connected(stream, told);
    const large = Buffer.alloc(700_000, 'x');
    for (let n = 0; n < 40; n++) {
      const bytes = n % 10 === 3 ? large : Buffer.from(`frame ${n + 1}`);
      stream.publish(n + 1, bytes, bytes.length, n);
      await until(stream, told, new RegExp(`^acknowledged ${n + 1} `));
    }
    stream.follow(31);
    await until(stream, told, /^message 40 /);
    stream.follow(1);
    told.lines.length = 0;
    await until(stream, told, /^message 40 /);
    const followed = told.lines.filter((line) => line.startsWith('message'));
    expect(followed.map((line) => Number(line.split(' ')[1]))).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    expect(followed[3]).toBe('message 4 xxxxxxxxxxxxxxxxxxxx');
    stream.publish(99, Buffer.from('new'), 3, 40);
    expect(await until(stream, told, /^message 41/)).toBe('message 41 new');
    stream.unfollow();
    stream.close();
  });

  it('says that nothing is known of what was asked when its server goes, and goes on with the next life', async () => {
    await makeStream(nats, 2);
    const told = new Told();
    const stream = open(nats, 2);
    await connected(stream, told);
    stream.follow(1);
    stream.publish(1, Buffer.from('one'), 3, 0);
    await until(stream, told, /^message 1 one/);
    nats.children[0].signal('SIGSTOP');
    await poll('the server stopped', 2000, () => isStopped(nats.children[0].pid));
    stream.publish(2, Buffer.from('two'), 3, 1);
    expect(await until(stream, told, /^failed 2/)).toMatch(/failed 2 no answer/);
    nats.children[0].signal('SIGCONT');
    await connected(stream, told);
    stream.bounds(3);
    const bounds = await until(stream, told, /^(bounds|failed) 3/);
    expect(bounds).toMatch(/^bounds 3 1 [12]$/); // the second may have been stored, and nobody knew
    const last = Number(bounds.split(' ')[3]);
    await nats.kill9(0);
    await pause(100);
    stream.poll(told);
    nats.launch(0);
    await nats.ready();
    await connected(stream, told);
    // As an owner does: what nobody knows of is asked again, until it is known.
    for (let id = 4; ; id += 2) {
      stream.publish(id, Buffer.from('four'), 4, 2);
      stream.publish(id + 1, Buffer.from('five'), 4, 1);
      const fates = [
        await until(stream, told, new RegExp(`^\\w+ ${id}\\b`)),
        await until(stream, told, new RegExp(`^\\w+ ${id + 1}\\b`)),
      ];
      if (fates.some((fate) => fate.startsWith('acknowledged'))) break;
      expect(id, told.lines.join('\n')).toBeLessThan(10);
      await connected(stream, told);
    }
    expect(await until(stream, told, new RegExp(`^message ${last + 1}`), 10_000)).toMatch(/message \d (four|five)/);
    stream.close();
  });

  it('names the server that is gone once in the log, however often it is tried', async () => {
    await makeStream(nats, 3);
    const lines: string[] = [];
    const stream = open(nats, 3, '', (line) => lines.push(line));
    const told = new Told();
    await connected(stream, told);
    await nats.kill9(0);
    for (const end = Date.now() + 2000; Date.now() < end; await pause(5)) stream.poll(told); // eight rounds of 250 ms
    expect(lines[0]).toMatch(/^a shard uses a NATS server \{"shard":3,"server":"n0",/);
    const left = lines.slice(1);
    expect(left[0]).toMatch(/^a shard leaves a NATS server \{"shard":3,"server":"n0",/);
    expect(left.length).toBe(new Set(left).size);
    expect(left.length).toBeLessThanOrEqual(4); // for as many reasons
    stream.close();
    nats.launch(0);
    await nats.ready();
  });

  it('logs in with the password, the token or the key that the server knows, and with no other', async () => {
    const more = 'authorization { users: [ { user: aorta, password: secret } ] }\n';
    const guarded = await NatsServers.start({ servers: 1, more });
    const told = new Told();
    const stranger = open(guarded, 0, 'aorta:wrong');
    for (let n = 0; n < 40; n++) {
      stranger.poll(told);
      await pause(10);
    }
    expect(stranger.connected).toBe(false);
    stranger.close();
    const known = open(guarded, 0, 'aorta:secret');
    await connected(known, told);
    known.close();
    await guarded.close();
  });
});
