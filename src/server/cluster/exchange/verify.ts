// Whether the nodes of a cluster have the same bindings: their tables compared by digests, group of rows by group. Differing groups are
// asked for again until both nodes have held the same, or that has taken too long.

import { setTimeout as delay } from 'node:timers/promises';
import { differences, recordsOf, type TableDigest } from './table-digest.ts';

const ROUNDS_MAX = 20;
const ROUND_MS = 100;
/** Interval of reading own rows meanwhile: rows under constant change match another node's for a moment only. */
const LOOK_MS = 5;
/** Groups asked for at a time. */
const GROUPS_MAX = 256;

export interface NodeComparison {
  readonly node: string;
  /** Records in its table. */
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

/** Returns the digest of a shard's table, or of some groups of it. */
export type AskDigest = (groups?: readonly number[]) => Promise<TableDigest>;

/** Compares a shard of this node with that of other nodes, by name. */
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

/** Number of groups that differ for good. */
async function settle(own: AskDigest, other: AskDigest, groups: readonly number[]): Promise<number> {
  let differ = 0;
  for (let at = 0; at < groups.length; at += GROUPS_MAX)
    differ += await settleSome(own, other, groups.slice(at, at + GROUPS_MAX));
  return differ;
}

async function settleSome(own: AskDigest, other: AskDigest, groups: readonly number[]): Promise<number> {
  const [mine, theirs] = [new SeenDigests(), new SeenDigests()];
  let open = groups;
  let isDone = false;
  const watch = async () => {
    for (; !isDone; await delay(LOOK_MS)) mine.add(open, await own(open));
  };
  const watching = watch();
  watching.catch(() => {}); // the error is thrown at the end
  try {
    for (let round = 0; round < ROUNDS_MAX && open.length > 0; round++) {
      await delay(ROUND_MS);
      theirs.add(open, await other(open));
      open = open.filter((group) => !mine.shares(group, theirs));
    }
  } finally {
    isDone = true;
    await watching;
  }
  return open.length;
}

/** Digests of groups seen since the beginning: all nodes pass through the same states, but not at the same time. */
class SeenDigests {
  private readonly byGroup = new Map<number, Set<string>>();

  add(groups: readonly number[], table: TableDigest): void {
    for (const group of groups) {
      const seen = this.byGroup.get(group) ?? new Set();
      this.byGroup.set(group, seen.add(table.get(group)?.digest ?? ''));
    }
  }

  shares(group: number, other: SeenDigests): boolean {
    const theirs = other.byGroup.get(group);
    return [...(this.byGroup.get(group) ?? [])].some((digest) => theirs?.has(digest));
  }
}
