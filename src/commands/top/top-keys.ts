// The keys of `aorta top`, as its help names them.

/** On a terminal. */
export const TOP_KEYS = `
  q, Ctrl-C   quit
  Tab, 1-4    one table: shards, refusals, sources, addresses; 0: all of them
  s           sort by the next column
  /           filter rows by a text; Enter keeps it, Escape ends it
  arrows      scroll the table
  ?           this help

  Rates are per second. cpu and disk are shares of a shard's time.
  disk is the wait for a sync. Latencies are upper bounds.
  Sources and addresses are estimated from a sample.
`;
