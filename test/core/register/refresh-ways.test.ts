// A refresh is answered from the request and the row of its binding, with its image kept where history or listeners want it, or over the
// AOR's whole record. Whatever the policy shows in a 200, both ways show the same; each test says which way answered.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../src/core/uas/policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import type { RowCopy } from '../../../src/location/table/binding-row.ts';
import type { WriteSet } from '../../../src/location/write-set.ts';
import { createHistoryMemory } from '../../../src/shard/observe/history.ts';
import { phone, request, some } from '../../support/made-up-phones.ts';
import { type Source, VirtualShard, type VirtualShardOptions } from '../../support/virtual-shard.ts';

/** Without the AOR's record, or over it. */
type Way = 'refresh' | 'full';

/** A store that tells whether the last commit refreshed a binding without its record. One that is `forgetful` knows no binding without its record. */
class WatchedStore extends MemoryStore {
  isRefreshed = false;
  private readonly forgetful: boolean;

  constructor(forgetful: boolean) {
    super();
    this.forgetful = forgetful;
  }

  override find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    const found = super.find(k0, k1, k2, k3, into);
    if (this.forgetful) {
      into.identityHigh = 0;
      into.identityLow = 0;
    }
    return found;
  }

  override commit(writes: WriteSet): number {
    this.isRefreshed = writes.refreshes[0] === 1;
    return super.commit(writes);
  }
}

class Shard {
  readonly store: WatchedStore;
  readonly shard: VirtualShard;

  constructor(options: VirtualShardOptions, forgetful = false) {
    this.store = new WatchedStore(forgetful);
    this.shard = new VirtualShard({ ...options, store: this.store });
  }

  send(message: string, source: Source): { text: string; way: Way } {
    this.store.isRefreshed = false;
    const text = this.shard.send(message, source)?.text ?? '';
    return { text, way: this.store.isRefreshed ? 'refresh' : 'full' };
  }
}

const LISTENER = { listening: true, publish: () => {} };
const NOBODY = { listening: false, publish: () => {} };
const historyOf = () => createHistoryMemory(1 << 16);
const refreshesKept = (policy: Partial<Policy>) => ({
  policy: { ...policy, historyRefreshes: true },
  history: historyOf(),
});

/** Service-Routes of about so many bytes. */
const routes = (bytes: number) =>
  Array.from({ length: Math.ceil(bytes / 100) }, (_, i) => `<sip:${'r'.repeat(80)}${i}.example.com;lr>`);

const policies: fc.Arbitrary<Partial<Policy>> = fc.record({
  transactionsMax: some(1 << 10),
  outbound: some<Policy['outbound']>('on', 'on', 'off'),
  path: some<Policy['path']>('lazy', 'strict', 'off'),
  gruu: some<Policy['gruu']>('on', 'on', 'off'),
  flowTimerS: some(0, 1, 90, 120, 99_999),
  expiresJitterPercent: some(0, 20),
  defaultExpiresS: some(3600, 60),
  maxExpiresS: some(7200, 1234),
  warning: fc.boolean(),
  connectionBindings: some<Policy['connectionBindings']>('auto', 'flow', 'contact'),
  flowGraceS: some(0, 30),
  serviceRoutes: some(
    {},
    { '*': routes(100) },
    { 'example.com': routes(1800) },
    { '*': [], 'example.com': routes(3000) },
  ),
  associatedUris: some({}, { 'al@example.com': ['<sip:al@example.com>', '<tel:+358>'] }),
});

describe('a refresh', () => {
  it('draws the same 200 by either way, over every policy', () => {
    let registrations = 0;
    const ways = { refresh: 0, full: 0 };
    fc.assert(
      fc.property(
        policies,
        fc.array(fc.tuple(phone, fc.boolean()), { minLength: 1, maxLength: 8 }),
        (policy, phones) => {
          const open = new Set([7]);
          const flows = { isAlive: (flow: number) => open.has(flow) };
          const shards: readonly Shard[] = [
            new Shard({ policy, flows }),
            new Shard({ policy, flows, history: historyOf(), events: NOBODY }),
            new Shard({ ...refreshesKept(policy), flows }),
            new Shard({ policy, flows, events: LISTENER }),
            new Shard({ policy, flows }, true),
          ];
          for (const [of, ends] of phones) {
            const id = String(++registrations);
            open.add(7);
            for (const cseq of [0, 1, 2]) {
              if (cseq === 2 && ends) open.delete(7); // while the request is on its way
              const message = request(of, registrations * 10 + cseq, id);
              const [first, ...others] = shards.map((shard) => shard.send(message, of.source));
              for (const other of others) expect(other.text).toBe(first.text);
              if (!first.text.startsWith('SIP/2.0 200') || cseq === 0) continue;
              const [way, ...same] = [first, ...others].map((answer) => answer.way);
              expect(same).toEqual([way, way, way, 'full']);
              ways[way]++;
            }
            for (const { shard } of shards) shard.now += 700;
          }
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
    // Both were there in numbers.
    expect(Math.min(...Object.values(ways))).toBeGreaterThan(5);
  });

  const outboundPhone = (cseq: number, extra: readonly string[] = []): string =>
    [
      'REGISTER sip:example.com SIP/2.0',
      `Via: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK${cseq};rport`,
      'From: <sip:al@example.com>;tag=f',
      'To: <sip:al@example.com>',
      'Call-ID: c@example.com',
      `CSeq: ${cseq} REGISTER`,
      'Contact: <sip:al@192.0.2.9;transport=tcp>;+sip.instance="<urn:uuid:0>";reg-id=1',
      'Supported: path, outbound, gruu',
      ...extra,
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n');
  const overTcp = { transport: 1, flow: 7 };

  /** Of the second request by each way: the rows with this name. */
  function rows(name: string, policy: Partial<Policy>): { way: Way; rows: string[] }[] {
    const shards = [new Shard({ policy }), new Shard(refreshesKept(policy)), new Shard({ policy }, true)];
    return shards.map((shard) => {
      shard.send(outboundPhone(1), overTcp);
      const { text, way } = shard.send(outboundPhone(2), overTcp);
      return { way, rows: text.split('\r\n').filter((row) => row.startsWith(`${name}: `)) };
    });
  }

  it('names the Flow-Timer of the policy, by either way', () => {
    for (const flowTimerS of [1, 9, 10, 120, 99_999]) {
      const row = [`Flow-Timer: ${flowTimerS}`];
      expect(rows('Flow-Timer', { flowTimerS })).toEqual([
        { way: 'refresh', rows: row },
        { way: 'refresh', rows: row },
        { way: 'full', rows: row },
      ]);
    }
  });

  it('has the whole Service-Route of its domain, however long', () => {
    for (const bytes of [100, 1900, 2200, 3000]) {
      const row = [`Service-Route: ${routes(bytes).join(', ')}`];
      expect(rows('Service-Route', { serviceRoutes: { '*': routes(bytes) } })).toEqual([
        { way: 'refresh', rows: row },
        { way: 'refresh', rows: row },
        { way: 'full', rows: row },
      ]);
    }
  });

  it('R5626-7-01: over a connection that has ended meanwhile names no contact, by either way', () => {
    const open = new Set([7]);
    const flows = { isAlive: (flow: number) => open.has(flow) };
    const shards = [new Shard({ flows }), new Shard({ ...refreshesKept({}), flows }), new Shard({ flows }, true)];
    for (const shard of shards) shard.send(outboundPhone(1), overTcp);
    const living = shards.map((shard) => shard.send(outboundPhone(2), overTcp));
    expect(living.map(({ way, text }) => [way, text.includes('\r\nContact: ')])).toEqual([
      ['refresh', true],
      ['refresh', true],
      ['full', true],
    ]);
    open.delete(7);
    const ended = shards.map((shard) => shard.send(outboundPhone(3), overTcp));
    expect(ended.map(({ way, text }) => [way, text.slice(8, 11), text.includes('\r\nContact: ')])).toEqual([
      ['refresh', '200', false],
      ['refresh', '200', false],
      ['full', '200', false],
    ]);
  });

  it('begins no new temporary GRUUs over a connection that has ended meanwhile, by either way', () => {
    const open = new Set([7]);
    const flows = { isAlive: (flow: number) => open.has(flow) };
    const shards = [new Shard({ flows }), new Shard({ ...refreshesKept({}), flows }), new Shard({ flows }, true)];
    const temporary = (text: string) => /temp-gruu="(.*?)"/.exec(text)?.[1] ?? 'none';
    const answers = shards.map((shard) => {
      shard.send(outboundPhone(1), overTcp);
      open.delete(7);
      shard.send(outboundPhone(2), overTcp);
      open.add(7); // its node was silent, and is heard again
      return temporary(shard.send(outboundPhone(3), overTcp).text);
    });
    expect(answers[0]).toMatch(/^sip:/);
    expect(answers).toEqual(Array(3).fill(answers[0]));
  });

  it.each(['sip:a@192.0.2.20;transport=tcp', 'sip:a@192.0.2.9:5060;transport=tcp', 'sip:a@x.invalid;transport=ws'])(
    'is one whether the binding lives by its connection or not: %s',
    (uri) => {
      for (const connectionBindings of ['auto', 'flow', 'contact'] as const) {
        const shard = new Shard({ policy: { connectionBindings } });
        const via = ['SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKBRANCH'];
        const of = { via, rows: [], user: 'al', to: '', callId: 'c', contact: `<${uri}>`, source: {} };
        const ways = [1, 2].map((cseq) => shard.send(request(of, cseq, 'f'), { transport: 1, flow: 9 }).way);
        expect(ways).toEqual(['full', 'refresh']);
      }
    },
  );

  it('is one however long the request', () => {
    const shards = [new Shard({}), new Shard(refreshesKept({})), new Shard({}, true)];
    const via = ['SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKBRANCH'];
    const of = { via, user: 'al', to: '', callId: 'c', contact: '<sip:a@192.0.2.1>', source: {} };
    for (const bytes of [1000, 1500, 3000, 30_000, 63_000]) {
      const rows = [`X-Long: ${'x'.repeat(bytes)}`, 'Supported: gruu, path, outbound'];
      const long = { ...of, rows, user: `long${bytes}` };
      const [, second] = [6, 7].map((cseq) => shards.map((shard) => shard.send(request(long, cseq, `l${bytes}`), {})));
      expect(second.map(({ way }) => way)).toEqual(['refresh', 'refresh', 'full']);
      expect(second.map(({ text }) => text)).toEqual(Array(3).fill(second[0].text));
    }
  });
});
