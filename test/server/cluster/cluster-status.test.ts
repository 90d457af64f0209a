// What a node says of its cluster: of shards of which it has taken in everything, and of others.

import { describe, expect, it } from 'vitest';
import { ShardTable } from '../../../src/cluster/shard-table.ts';
import { readingOf } from '../../../src/server/cluster/cluster-status.ts';

describe('the owner of a shard that a node names', () => {
  it('is the one that the others speak of, where its own log takes no more', () => {
    const table = new ShardTable(1);
    const hear = (node: number, epochHeard: number) => {
      table.setSurroundings(0, { mayClaim: false, isFit: true, handTo: 0, epochHeard, sequenceHeard: 0 });
      table.setOwnerHeard(0, node);
      const [{ owner }] = readingOf(table, 1, true, []).shards;
      return owner;
    };
    table.setOwner(0, 1, 1, 7);
    expect(hear(1, 7)).toBe(1);
    expect(hear(2, 8)).toBe(2);
    expect(hear(0, 8), 'that one is gone, too').toBe(0);
  });
});
