// Who is a node of a cluster: one data directory a name, one start at a time, and numbers that nobody has had.

import { describe, expect, it } from 'vitest';
import { type ClusterRecord, freeNumber } from '../../../src/server/cluster/cluster-record.ts';
import { enrolled, fingerprintOf } from '../../../src/server/cluster/node-identity.ts';
import { DEFAULT_CLUSTER } from '../../../src/server/config/sections/cluster-config.ts';

const secret = new Uint8Array(32).fill(3);
const RECORD: ClusterRecord = { format: 1, shards: 3, fingerprint: fingerprintOf(secret), created: '', nodes: {} };

function start(record: ClusterRecord, node: string, directory: string, life: number): ClusterRecord {
  const config = {
    ...DEFAULT_CLUSTER,
    ...{ name: 'east', node, listen: { host: '10.0.0.1', port: 5090 } },
    nats: { ...DEFAULT_CLUSTER.nats, servers: [] },
  };
  return enrolled(record, config, { directory, secret, now: new Date(0), life });
}

describe('a node of a cluster', () => {
  it('has its number for good, and its newest start in the record', () => {
    const first = start(RECORD, 'a', 'dir-a', 5);
    const second = start(start(first, 'b', 'dir-b', 1), 'a', 'dir-a', 6);
    expect(Object.entries(second.nodes).map(([name, { number, life }]) => [name, number, life])).toEqual([
      ['a', 1, 6],
      ['b', 2, 1],
    ]);
  });

  it('F21 is refused where another directory, or another copy of the same, has the name', () => {
    const record = start(RECORD, 'a', 'dir-a', 5);
    expect(() => start(record, 'a', 'dir-b', 9)).toThrow(/node a of cluster east is another data directory/);
    expect(() => start(record, 'a', 'dir-a', 5)).toThrow(/another copy of this data directory is node a/);
    expect(() => start(record, 'a', 'dir-a', 4)).toThrow(/was started later \(start 5, this is 4\)/);
  });

  it('gets no number that another had: bindings over its connections would become the newcomer’s', () => {
    const three = start(start(start(RECORD, 'a', 'a', 1), 'b', 'b', 1), 'c', 'c', 1);
    const { c: _, ...nodes } = three.nodes;
    expect(start({ ...three, nodes }, 'd', 'd', 1).nodes.d.number).toBe(4);
    expect(freeNumber({ ...three, last: 254 })).toBe(4);
  });
});
