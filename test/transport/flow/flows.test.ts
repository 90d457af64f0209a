// The table of connections: tokens that no two connections share, limits, and what a token finds.

import { describe, expect, it } from 'vitest';
import { type Connection, Flows } from '../../../src/transport/flow/flows.ts';
import { createLiveFlowsMemory, LiveFlows } from '../../../src/transport/flow/live-flows.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../../../src/transport/flow/stream-policy.ts';

function table(policy: Partial<StreamPolicy> = {}, first = 1) {
  const memory = createLiveFlowsMemory(500);
  const reservations: number[] = [];
  const numbers = { first, step: 1000, reserve: () => reservations.push(1) };
  const flows = new Flows(new LiveFlows(memory), numbers, { ...DEFAULT_STREAM_POLICY, ...policy });
  return { flows, reservations, seen: new LiveFlows(memory) };
}

const connection = (sent: string[] = []): Connection => ({
  send: (bytes, at, end) => sent.push(Buffer.from(bytes.subarray(at, end)).toString()) > 0,
  resume: () => {},
  close: () => {},
});
const from = (address: string) => ({ transport: 1, listener: 0, address, port: 5060 });

describe('flows', () => {
  it('never use a token twice, none is 0, and a stale one finds nobody', () => {
    const { flows, seen, reservations } = table({}, 2 ** 32 - 500);
    const used = new Set<number>();
    const sent: string[] = [];
    const keep = flows.open(connection(sent), from('192.0.2.1'));
    for (let i = 0; i < 5000; i++) {
      const token = flows.open(connection(), from('192.0.2.2'));
      expect(token !== 0 && !used.has(token) && token !== keep).toBe(true);
      used.add(token);
      expect([flows.ended(token), flows.ended(token), seen.isAlive(token)]).toEqual([true, false, false]);
      expect(flows.send(token, Buffer.from('x'), 0, 1)).toBe(false);
    }
    expect(flows.send(keep, Buffer.from('abc'), 1, 3)).toBe(true);
    expect([sent, seen.isAlive(keep), flows.counts.open]).toEqual([['bc'], true, 1]);
    expect(reservations.length).toBeGreaterThanOrEqual(4);
  });

  it('are limited in all and by source: an IPv4 address, an IPv6 /64', () => {
    const { flows } = table({ connectionsMax: 6, connectionsPerSourceMax: 2 });
    const open = (address: string) => flows.open(connection(), from(address));
    const [first] = ['192.0.2.1', '192.0.2.1'].map(open);
    expect(open('192.0.2.1')).toBe(0);
    expect(['2001:db8::1', '2001:db8::ffff:1'].map(open)).not.toContain(0);
    expect([open('2001:db8::2'), open('2001:db8:0:1::1') > 0, open('192.0.2.3') > 0]).toEqual([0, true, true]);
    expect(open('192.0.2.4')).toBe(0);
    flows.ended(first);
    expect([0, first]).not.toContain(open('192.0.2.1'));
    expect(flows.counts).toMatchObject({ open: 6, refusedSource: 2, refusedTotal: 1 });
  });
});
