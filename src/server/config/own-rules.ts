// Keys of `policy` that a domain or a user may not have on its own, and the reasons for messages.

const ONE_QUEUE = 'all domains wait in the same queues';

/** By key: why one value holds for all domains. */
const OF_THE_SERVER: Readonly<Record<string, string>> = {
  'overload-target-ms': ONE_QUEUE,
  'retry-after-max': ONE_QUEUE,
  'flow-grace': 'ended connections of a shard wait in one queue, whoever used them',
  'gruu-generation': 'one key reads the temporary GRUUs of all domains',
  'force-rport': 'many answers are written before the domain is known',
  warning: 'many refusals are written before the domain is known',
  'history-refreshes': 'all domains share one history',
};

/** By key: why no user has it. */
const OF_DOMAINS: Readonly<Record<string, string>> = {
  'bindings-max': 'a user has contacts-per-aor',
  'connection-bindings': 'what ends with a connection is known by its domain alone',
  'flow-timer': 'all flows of a domain have one timer',
  gruu: 'lookups know the domain of a GRUU, and not its user',
  ping: 'contacts to be pinged are chosen by domain',
};

/** The text after the name of the key. Undefined: a domain may have the key. @param path of the key's section */
export function whyNotOwn(path: readonly PropertyKey[], key: string): string | undefined {
  if (path.length !== 3 || path[0] !== 'domains' || path[2] !== 'policy') return undefined;
  return ofTheServer(key);
}

/** The same for the rules of a user. */
export function whyNotOfUser(key: string): string | undefined {
  if (!Object.hasOwn(OF_DOMAINS, key)) return ofTheServer(key);
  return `is a rule of domains, not of users: ${OF_DOMAINS[key]}`;
}

function ofTheServer(key: string): string | undefined {
  if (!Object.hasOwn(OF_THE_SERVER, key)) return undefined;
  return `is for the whole server, under "policy": ${OF_THE_SERVER[key]}`;
}
