// What nodes ask each other over HTTP: only with the cluster's secret, once, and nothing that was changed on its way counts.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { takeReadyCopy } from '../../../src/location/files/ready-copy.ts';
import { CopyReader, type CopySink, listOf } from '../../../src/server/cluster/exchange/copy-format.ts';
import { giveCopy } from '../../../src/server/cluster/exchange/copy-source.ts';
import { CopyWriter } from '../../../src/server/cluster/exchange/copy-writer.ts';
import { askNode } from '../../../src/server/cluster/exchange/exchange-client.ts';
import { ExchangeProof } from '../../../src/server/cluster/exchange/exchange-proof.ts';
import { type ExchangeAnswer, ExchangeServer } from '../../../src/server/cluster/exchange/exchange-server.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { freePorts } from '../../support/free-ports.ts';

const SECRET = new Uint8Array(32).fill(1);
const HOST = '127.0.0.1';
const ANSWER = Buffer.alloc(300_000, 'answer ');

async function asked(proof: ExchangeProof, port: number, path = '/v1/x'): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await askNode(proof, { name: 'b', host: HOST, port }, path, (bytes) => void pieces.push(Buffer.from(bytes)));
  return Buffer.concat(pieces);
}

describe('an exchange between nodes', () => {
  const closes: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const close of closes.splice(0)) await close();
  });
  const give: ExchangeAnswer = (path) => (path === '/v1/x' ? (write) => write(ANSWER) : undefined);

  async function serve(answer = give): Promise<{ readonly server: ExchangeServer; readonly port: number }> {
    const [port] = await freePorts(1);
    const proof = new ExchangeProof(SECRET, 'east', 'b');
    const server = await ExchangeServer.open({ host: HOST, port }, { proof, node: 'b', answer });
    closes.push(() => server.close());
    return { server, port };
  }

  /** Between the asking node and the other one: changes an answer. */
  async function between(port: number, change: (bytes: Buffer) => Buffer): Promise<number> {
    const proxy = createServer((from, to) => {
      request({ host: HOST, port, path: from.url, headers: from.headers }, (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (bytes: Buffer) => pieces.push(bytes));
        answer.on('end', () => to.writeHead(answer.statusCode ?? 500).end(change(Buffer.concat(pieces))));
      }).end();
    });
    await new Promise<void>((done) => proxy.listen(0, HOST, done));
    closes.push(() => proxy.close());
    return (proxy.address() as AddressInfo).port;
  }

  it('gives what was asked for, whole', async () => {
    const { port } = await serve();
    expect((await asked(new ExchangeProof(SECRET, 'east', 'a'), port)).equals(ANSWER)).toBe(true);
  });

  it('refuses who has another secret, is of another cluster, or asks another node', async () => {
    const { server, port } = await serve();
    const others = [new ExchangeProof(new Uint8Array(32).fill(2), 'east', 'a'), new ExchangeProof(SECRET, 'west', 'a')];
    for (const proof of others) await expect(asked(proof, port)).rejects.toThrow(/not signed with the secret/);
    const proof = new ExchangeProof(SECRET, 'east', 'a');
    await expect(askNode(proof, { name: 'c', host: HOST, port }, '/v1/x', () => {})).rejects.toThrow(/not signed/);
    expect(server.refused).toBe(3);
  });

  it('takes a request once, for its path, and while it is fresh', () => {
    const [a, b] = [new ExchangeProof(SECRET, 'east', 'a'), new ExchangeProof(SECRET, 'east', 'b')];
    const now = Date.now();
    const { header, nonce } = a.ask('b', '/v1/x', now);
    expect(b.asked(header, '/v1/y', now)).toBeUndefined();
    expect(b.asked(header, '/v1/x', now)).toEqual({ from: 'a', nonce });
    expect(b.asked(header, '/v1/x', now + 1)).toBeUndefined();
    const old = a.ask('b', '/v1/x', now - 61_000);
    expect(b.asked(old.header, '/v1/x', now)).toBeUndefined();
    for (const wrong of [undefined, '', 'Bearer x', header.slice(0, -1), header.replace(/ \d+ /, ' NaN ')])
      expect(b.asked(wrong, '/v1/x', now)).toBeUndefined();
  });

  it('does not believe an answer that was changed or cut off', async () => {
    const { port } = await serve();
    const proof = new ExchangeProof(SECRET, 'east', 'a');
    const flip = (at: number) => (bytes: Buffer) => {
      bytes[at < 0 ? bytes.length + at : at] ^= 1;
      return bytes;
    };
    for (const change of [
      flip(0),
      flip(-1),
      flip(150_000),
      (bytes: Buffer) => bytes.subarray(0, -1),
      () => Buffer.alloc(0),
    ])
      await expect(asked(proof, await between(port, change))).rejects.toThrow(/cut off, or somebody else's/);
  });

  it('says why it has no answer', async () => {
    const { port } = await serve(() => {
      throw new Error('secret');
    });
    const proof = new ExchangeProof(SECRET, 'east', 'a');
    await expect(asked(proof, port)).rejects.toThrow(/^node b: it cannot be given now$/);
    await expect(asked(proof, (await serve()).port, '/v1/else')).rejects.toThrow(/there is no such thing/);
  });
});

describe('a copy of a shard', () => {
  afterAll(removeDirectories);

  function source(): string {
    const directory = join(temporaryDirectory(), 'shard-0');
    mkdirSync(join(directory, 'log'), { recursive: true });
    writeFileSync(join(directory, 'checkpoint'), 'a checkpoint');
    writeFileSync(join(directory, 'log', 'manifest'), 'a manifest');
    writeFileSync(join(directory, 'log', '0000000001.mdb'), Buffer.alloc(2_500_000, 'frames'));
    writeFileSync(join(directory, 'log', '0000000002.mdb'), '');
    return directory;
  }

  it('is the same files, in whatever pieces it comes, and takes the place of the store between two lives', async () => {
    const from = source();
    const pieces: Buffer[] = [];
    await giveCopy(from, async (bytes) => void pieces.push(Buffer.from(bytes)));
    const all = Buffer.concat(pieces);
    for (const size of [1000, 65_536, all.length]) {
      const to = join(temporaryDirectory(), 'shard-0');
      mkdirSync(join(to, 'log'), { recursive: true });
      writeFileSync(join(to, 'log', '0000000009.mdb'), 'before');
      const writer = new CopyWriter(to);
      const reader = new CopyReader(writer);
      for (let at = 0; at < all.length; at += size) {
        expect(reader.isWhole).toBe(false);
        await reader.take(all.subarray(at, at + size));
      }
      expect(reader.isWhole).toBe(true);
      await writer.sync();
      expect(takeReadyCopy(to)).toBe(false);
      writer.finish();
      expect([takeReadyCopy(to), takeReadyCopy(to)]).toEqual([true, false]);
      for (const name of ['checkpoint', 'log/manifest', 'log/0000000001.mdb', 'log/0000000002.mdb'])
        expect(readFileSync(join(to, name)).equals(readFileSync(join(from, name))), name).toBe(true);
      expect(() => readFileSync(join(to, 'log/0000000009.mdb'))).toThrow();
    }
  });

  it('writes nowhere else, and nothing that is no file of a store', async () => {
    const sink: CopySink = {
      begin: () => Promise.reject(new Error('begun')),
      file: async () => {},
      write: async () => {},
    };
    for (const name of ['../aorta.json', '/etc/passwd', 'log/../../x', 'log/0000000001.mdb-lock', 'log', ''])
      await expect(new CopyReader(sink).take(listOf([{ name, length: 1 }]))).rejects.toThrow(/no copy of a shard/);
    const twice = { name: 'checkpoint', length: 1 };
    await expect(new CopyReader(sink).take(listOf([twice, twice]))).rejects.toThrow(/names a file twice/);
    await expect(new CopyReader(sink).take(Buffer.from([255, 0, 0, 0]))).rejects.toThrow(/too long/);
    await expect(new CopyReader(sink).take(listOf([{ name: 'checkpoint', length: -1 }]))).rejects.toThrow(/no copy/);
  });

  it('with more bytes than its files have is none', async () => {
    const sink: CopySink = { begin: async () => {}, file: async () => {}, write: async () => {} };
    const reader = new CopyReader(sink);
    await reader.take(Buffer.concat([listOf([{ name: 'checkpoint', length: 2 }]), Buffer.from('ab')]));
    expect(reader.isWhole).toBe(true);
    await expect(reader.take(Buffer.from('c'))).rejects.toThrow(/more bytes than files/);
  });
});
