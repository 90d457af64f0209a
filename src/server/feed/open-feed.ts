// The feed of a registrar, where its configuration has one: its code is loaded only then.

import type { Config } from '../config/config.ts';
import type { Log } from '../process/log.ts';
import type { Feed } from './feed.ts';

/** @param data the data directory. Throws the system's error. */
export async function openFeed(
  { feed, durability, cluster }: Config,
  data: string,
  shards: number,
  log: Log,
): Promise<Feed | undefined> {
  if (feed === undefined) return undefined;
  const { Feed } = await import('./feed.ts');
  return new Feed({ config: feed, data, shards, durability, log, ...(cluster && { node: cluster.node }) });
}

/** The feed; throws an Error for a program that asks for changes where none are kept. */
export function needFeed(feed: Feed | undefined): Feed {
  if (feed !== undefined) return feed;
  throw new Error('no changes are kept: the option "feed" ({} will do) keeps them');
}
