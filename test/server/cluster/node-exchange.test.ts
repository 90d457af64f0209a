// What nodes have with each other besides bindings' traffic: a store is thrown away for a whole copy of another node's alone, never that of
// an owner; and tables that differ are told from those that do not.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { ROLE_BROKEN, ROLE_COPYING, ROLE_FOLLOWING, ROLE_OWNING } from '../../../src/cluster/roles.ts';
import { ShardTable } from '../../../src/cluster/shard-table.ts';
import { takeReadyCopy } from '../../../src/location/files/ready-copy.ts';
import { LogFiles } from '../../../src/location/log/log-files.ts';
import { LogReader } from '../../../src/location/log/log-reader.ts';
import type { LogStore } from '../../../src/location/log/log-store.ts';
import { openLogStore } from '../../../src/location/open-log-store.ts';
import { RowCopy } from '../../../src/location/table/binding-row.ts';
import type { TableNews } from '../../../src/location/table/binding-table.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import type { NodePlace } from '../../../src/server/cluster/exchange/exchange-client.ts';
import { askNode } from '../../../src/server/cluster/exchange/exchange-client.ts';
import { ExchangeProof } from '../../../src/server/cluster/exchange/exchange-proof.ts';
import { ExchangeServer } from '../../../src/server/cluster/exchange/exchange-server.ts';
import { exchangePort, NodeExchange } from '../../../src/server/cluster/exchange/node-exchange.ts';
import { keyWords, putRecord, textOf } from '../../location/store-records.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { pause, poll } from '../../support/child-process.ts';
import { freePorts } from '../../support/free-ports.ts';

const SECRET = new Uint8Array(32).fill(1);
const HOST = '127.0.0.1';
const AORS = 1000;
const BATCH = 100;
/** States of its rows that a node lags. */
const BEHIND = 5;

/** One shard, on disk, with its exchange. */
class Node {
  readonly directory = join(temporaryDirectory(), 'shard-0');
  readonly table = new ShardTable(1);
  readonly store: LogStore;
  readonly renewed: number[] = [];
  others: NodePlace[] = [];
  place: NodePlace = { name: '', host: HOST, port: 0 };
  exchange: NodeExchange | undefined;
  readonly reader: LogReader;

  constructor(role = ROLE_FOLLOWING) {
    this.store = openLogStore(this.directory, 'process');
    const news: TableNews[] = [];
    const parts = this.store.share((item) => news.push(item));
    this.reader = new LogReader(new LogFiles(this.directory), parts, () => news.shift());
    this.table.setRole(0, role);
  }

  put(text: string, from = 0, end = AORS): void {
    for (let at = from; at < end; at += BATCH) this.putBatch(text, at, Math.min(end, at + BATCH));
  }

  private putBatch(text: string, from: number, end: number): void {
    const writes = new WriteSet();
    const row = new RowCopy();
    for (let n = from; n < end; n++) {
      putRecord(writes, n, `${text}-${n}/`, 200);
      Object.assign(row, { identityLow: n + 1, expiresAt: 4e12, grantedS: 3600, cseq: 1, bindings: 1 });
      writes.describePlain(writes.find(...keyWords(n)), row);
    }
    this.store.commit(writes, 1);
  }

  async open(name: string, secret = SECRET): Promise<NodeExchange> {
    const [port] = await freePorts(1);
    const listen = { host: HOST, port: port - 1 };
    this.place = { name, host: HOST, port: exchangePort(listen) };
    this.exchange = await NodeExchange.open({
      ...{ cluster: 'east', node: name, listen, secret, table: this.table },
      ...{ stores: [this.directory], readers: [this.reader], log: () => {} },
      sources: () => this.others,
      others: () => this.others,
      renew: (shard) => void this.renewed.push(shard),
    });
    return this.exchange;
  }

  /** What the store has once its shard begins anew: what the first AOR's record says. */
  afterRestart(): string | undefined {
    this.store.close();
    takeReadyCopy(this.directory);
    const store = openLogStore(this.directory, 'process');
    const text = textOf(store, 0)?.toString('latin1');
    store.close();
    return text?.slice(0, text.indexOf('-'));
  }

  /** Nothing of a copy is left, or will be taken for a store. */
  get isUntouched(): boolean {
    return !existsSync(`${this.directory}.copy`) && !existsSync(`${this.directory}.ready`) && this.renewed.length === 0;
  }

  async close(): Promise<void> {
    await this.exchange?.close();
    this.reader.close();
  }
}

describe('nodes of a cluster', () => {
  const nodes: Node[] = [];
  const servers: ExchangeServer[] = [];
  function node(role?: number): Node {
    const made = new Node(role);
    nodes.push(made);
    return made;
  }
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const each of nodes.splice(0)) await each.close();
    for (const server of servers.splice(0)) await server.close();
  });
  afterAll(removeDirectories);

  /** A node that has the secret, and gives what a test says. */
  async function source(name: string, give: (write: (bytes: Buffer) => Promise<void>) => Promise<void>) {
    const [port] = await freePorts(1);
    const proof = new ExchangeProof(SECRET, 'east', name);
    servers.push(await ExchangeServer.open({ host: HOST, port }, { proof, node: name, answer: () => give }));
    return { name, host: HOST, port };
  }

  async function two(role?: number): Promise<[Node, Node, NodeExchange]> {
    const [a, b] = [node(role), node()];
    a.put('old');
    b.put('new');
    await b.open('b');
    a.others = [b.place];
    return [a, b, await a.open('a')];
  }

  it('exchange a store for that of another node, between two lives of its shard', async () => {
    const [a, , exchange] = await two();
    const report = await exchange.reseed(0);
    expect([report.from, report.bytes > 200_000, a.renewed]).toEqual(['b', true, [0]]);
    expect(textOf(a.store, 0)?.toString('latin1', 0, 4)).toBe('old-');
    expect(a.afterRestart()).toBe('new');
  });

  it('do so by themselves where a log lacks what the stream has not any more', async () => {
    const [a] = await two(ROLE_COPYING);
    await poll('a copy', 5000, () => a.renewed.length > 0);
    expect(a.afterRestart()).toBe('new');
  });

  it('make no second copy while a shard has not begun with the first, however long that takes', async () => {
    const now = performance.now.bind(performance);
    let aheadMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs);
    const [a] = await two(ROLE_COPYING);
    await poll('a copy', 5000, () => a.renewed.length > 0);
    aheadMs = 60_000;
    await pause(1500); // three looks
    expect(a.renewed).toEqual([0]);
    a.store.close();
    takeReadyCopy(a.directory);
    aheadMs *= 2;
    await poll('the next copy', 5000, () => a.renewed.length > 1);
  });

  it('throw away no store of an owner, nor of one that has become the owner meanwhile', async () => {
    const [a, , exchange] = await two(ROLE_OWNING);
    await expect(exchange.reseed(0)).rejects.toThrow(/this node owns shard 0: have another node take it first/);
    a.table.setRole(0, ROLE_FOLLOWING);
    a.others = [
      await source('c', async (write) => {
        a.table.setRole(0, ROLE_OWNING);
        await write(Buffer.from('\0\0\0\x14[["log/manifest",1]]x', 'latin1'));
      }),
    ];
    await expect(exchange.reseed(0)).rejects.toThrow(/owns shard 0/);
    expect(a.isUntouched).toBe(true);
    expect(a.afterRestart()).toBe('old');
  });

  it('throw away no store for half a copy, and ask the next one', async () => {
    const [a, b, exchange] = await two();
    const list = '\0\0\0\x14[["log/manifest",9]]';
    const cut = await source('c', async (write) => {
      await write(Buffer.from(`${list}half`, 'latin1'));
      throw new Error('the disk is gone');
    });
    const short = await source('d', (write) => write(Buffer.from(`${list}half`, 'latin1')));
    a.others = [cut, short];
    await expect(exchange.reseed(0)).rejects.toThrow(/shard 0: the copy is not whole, and nobody owns it/);
    expect(a.isUntouched).toBe(true);
    a.others = [cut, short, b.place];
    expect((await exchange.reseed(0)).from).toBe('b');
    expect(a.afterRestart()).toBe('new');
  });

  it('give no copy of what they do not follow themselves', async () => {
    const [a, b, exchange] = await two();
    for (const role of [0, ROLE_COPYING, ROLE_BROKEN]) {
      b.table.setRole(0, role);
      await expect(exchange.reseed(0)).rejects.toThrow(/node b: it does not follow shard 0 itself/);
    }
    expect(a.isUntouched).toBe(true);
  });

  it('tell how much of their tables differs, from each other one', async () => {
    const [a, b, c, d] = [node(), node(), node(), node()];
    for (const each of [a, b, c, d]) each.put('same');
    c.put('other', 300, 301);
    c.put('other', 700, 702);
    await b.open('b');
    await c.open('c');
    await d.open('d', new Uint8Array(32).fill(2));
    a.others = [b.place, c.place, d.place];
    const [{ shard, records, nodes: compared }] = await (await a.open('a')).verify();
    expect([shard, records]).toEqual([0, AORS]);
    expect(compared).toEqual([
      { node: 'b', records: AORS, differ: 0 },
      { node: 'c', records: AORS, differ: 2 },
      { node: 'd', records: 0, differ: -1, problem: expect.stringMatching(/not signed with the secret/) },
    ]);
    expect(d.exchange?.refused).toBe(1);
  });

  it('tell of a large table while they still read it, and miss nothing between the pieces', async () => {
    const [a, b] = [node(), node()];
    const rows = 200_000;
    for (const each of [a, b]) each.put('same', 0, rows);
    b.put('other', rows - 1, rows);
    await b.open('b');
    const scans = vi.spyOn(b.reader, 'scan');
    const scansAtPiece: number[] = [];
    const proof = new ExchangeProof(SECRET, 'east', 'a');
    await askNode(proof, b.place, '/v1/digests/0', () => void scansAtPiece.push(scans.mock.calls.length));
    expect(scansAtPiece[0]).toBeLessThan(scans.mock.calls.length);
    a.others = [b.place];
    const [{ records, nodes: compared }] = await (await a.open('a')).verify();
    expect([records, compared]).toEqual([rows, [{ node: 'b', records: rows, differ: 1 }]]);
  });

  it('call tables the same that were changed while they were compared', async () => {
    const [a, b] = [node(), node()];
    a.put('same');
    b.put('same', 0, AORS - 100);
    await b.open('b');
    a.others = [b.place];
    const verified = (await a.open('a')).verify();
    setTimeout(() => b.put('same', AORS - 100), 150);
    expect((await verified)[0].nodes).toMatchObject([{ node: 'b', differ: 0 }]);
  });

  it('call tables the same of which one is behind, and whose rows never rest', async () => {
    const [a, b] = [node(), node()];
    const texts = Array.from({ length: 1000 }, (_, n) => `state ${n}`);
    a.put(texts[0]);
    b.put(texts[0]);
    await b.open('b');
    a.others = [b.place];
    const exchange = await a.open('a');
    let at = 0;
    const step = () => {
      a.put(texts[++at], 0, BATCH);
      b.put(texts[Math.max(0, at - BEHIND)], 0, BATCH);
    };
    for (let n = 0; n < BEHIND; n++) step();
    const timer = setInterval(step, 20);
    const [{ nodes: compared }] = await exchange.verify();
    clearInterval(timer);
    expect(compared).toMatchObject([{ node: 'b', differ: 0 }]);
  });
});
