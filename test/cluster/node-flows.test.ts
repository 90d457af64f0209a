// Connections of several nodes: each node numbers its own, and a binding lives by one of one node.

import { describe, expect, it } from 'vitest';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { Cluster } from '../support/clustered-shard.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

const over = (flow: number, node: number) => ({ transport: TRANSPORT_TCP, flow, node });

/** Connections of all nodes, as a node knows them. */
class Connections {
  readonly open = new Set<string>();

  isAlive(flow: number, node: number): boolean {
    return this.open.has(`${node}/${flow}`);
  }
}

let calls = 0;
function by(user: string): string {
  const aor = `<sip:${user}@example.com>`;
  const contacts = [`<sip:${user}@192.0.2.9:5060;transport=tcp>`];
  return register({ to: aor, from: `${aor};tag=${++calls}`, callId: `call-${calls}`, contacts });
}

describe('connections of several nodes', () => {
  it('R5626-7-01 a binding goes with the connection of its node, and with no other of the same number', () => {
    const flows = new Connections();
    const shard = new VirtualShard({ flows });
    for (const node of [1, 2]) flows.open.add(`${node}/7`);
    shard.send(by('alice'), over(7, 1));
    shard.send(by('bob'), over(7, 2));
    flows.open.delete('2/7');
    shard.flowsEnded([7], 2);
    shard.batch([]);
    expect([shard.counter('bindings'), shard.counter('flow_ended')]).toEqual([1, 1]);
    const fetch = (user: string) => register({ to: `<sip:${user}@example.com>`, callId: `fetch-${user}` });
    expect(shard.send(fetch('alice'))?.contacts.length).toBe(1);
    expect(shard.send(fetch('bob'))?.contacts.length).toBe(0);
    shard.flowsEnded([7], 2); // told once more
    shard.batch([]);
    expect(shard.counter('bindings')).toBe(1);
  });

  it('R5626-7-01 who takes a shard over takes out what lived by connections that are gone, and nothing else', () => {
    const flows = new Connections();
    const cluster = new Cluster();
    const a = cluster.join({ flows });
    const b = cluster.join({ flows });
    b.claim(); // and has looked at all there is before it owns the shard again
    for (let i = 0; i < 5; i++) {
      cluster.pass(20);
      b.virtual.batch([]);
    }
    a.claim();
    for (const node of [1, 2]) flows.open.add(`${node}/7`);
    for (const [user, node] of [
      ['alice', 1],
      ['bob', 2],
    ] as const)
      expect(a.virtual.send(by(user), over(7, node))?.status).toBe(200);
    cluster.pass(100);
    a.isPaused = true; // it died, and its connections with it
    flows.open.delete('1/7');
    b.virtual.advance(0);
    expect(b.store.bindings).toBe(2);
    b.claim();
    for (let i = 0; i < 5; i++) {
      cluster.pass(100);
      b.virtual.batch([]);
    }
    expect([b.store.bindings, b.virtual.counter('flow_ended')]).toEqual([1, 1]);
    expect(b.virtual.send(register({ to: '<sip:bob@example.com>', callId: 'f' }))?.contacts.length).toBe(1);
  });
});
