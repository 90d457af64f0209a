// Whether the nodes of a cluster have the same bindings: their tables compared by digests, group of rows by group. What differs is asked
// for again until it is the same, or has stayed as it is, differently, on both sides.

import { setTimeout as delay } from 'node:timers/promises';
import { differences, recordsOf, type TableDigest } from './table-digest.ts';

const ROUNDS_MAX = 20;
const ROUND_MS = 100;
/** Groups asked for at a time. */
const GROUPS_MAX = 256;

export interface NodeComparison {
  readonly node: string;
  /** Records that its table has. */
  readonly records: number;
  /** Groups of rows that differ from this node's; -1: it could not be asked. */
  readonly differ: number;
  readonly problem?: string;
}

export interface ShardComparison {
  readonly shard: number;
  /** Records of this node. */
  readonly records: number;
  readonly nodes: readonly NodeComparison[];
}

/** Gives the digest of a shard's table, or of some groups of it. */
export type AskDigest = (groups?: readonly number[]) => Promise<TableDigest>;

/** Compares a shard of this node with that of others, by name. */
export async function compareShard(
  shard: number,
  own: AskDigest,
  others: ReadonlyMap<string, AskDigest>,
): Promise<ShardComparison> {
  const mine = await own();
  const nodes = await Promise.all(
    [...others].map(async ([node, ask]): Promise<NodeComparison> => {
      try {
        const theirs = await ask();
        const differ = await settle(own, ask, differences(mine, theirs));
        return { node, records: recordsOf(theirs), differ };
      } catch (error) {
        return { node, records: 0, differ: -1, problem: (error as Error).message };
      }
    }),
  );
  return { shard, records: recordsOf(mine), nodes };
}

/** How many of the groups differ for good. */
async function settle(own: AskDigest, other: AskDigest, groups: readonly number[]): Promise<number> {
  let differ = 0;
  for (let at = 0; at < groups.length; at += GROUPS_MAX)
    differ += await settleSome(own, other, groups.slice(at, at + GROUPS_MAX));
  return differ;
}

async function settleSome(own: AskDigest, other: AskDigest, groups: readonly number[]): Promise<number> {
  let open = groups;
  for (let round = 0; round < ROUNDS_MAX && open.length > 0; round++) {
    await delay(ROUND_MS);
    const [mine, theirs] = await Promise.all([own(open), other(open)]);
    open = differences(mine, theirs);
  }
  return open.length;
}
