// What a node says of its cluster: of shards of which it has taken in everything, and of others.

import { describe, expect, it } from 'vitest';
import { ROLE_FOLLOWING, ROLE_OWNING } from '../../../src/cluster/roles.ts';
import { ShardTable } from '../../../src/cluster/shard-table.ts';
import { problemsOf, readingOf } from '../../../src/server/cluster/cluster-status.ts';

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

describe('a node that has joined', () => {
  it('is sent nothing before it has caught up with its streams and somebody owns its shards', () => {
    const [node, other] = [1, 2];
    const table = new ShardTable(1);
    const problems = (streamFaults: Parameters<typeof problemsOf>[0]['streamFaults'] = []) =>
      problemsOf({ ...readingOf(table, node, true, []), streamFaults });
    // As its log names them: this node's life before, and another node.
    for (const owner of [node, other]) {
      table.setOwner(0, owner, 1, 7);
      table.setRole(0, ROLE_FOLLOWING);
      table.setLevelAt(0, 0);
      expect(problems()).toEqual(['1 shards have not caught up with their streams yet']);
      expect(problems([{ stream: '', kind: 'gone', shard: 0, problem: '' }]), 'nobody can').toEqual([]);
      table.setLevelAt(0, 1);
      expect(problems()).toEqual(owner === node ? ['1 shards have no owner yet'] : []);
    }
    table.setOwner(0, node, 2, 8);
    table.setRole(0, ROLE_OWNING);
    expect(problems()).toEqual([]);
  });
});
