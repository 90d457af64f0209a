// The sent-by of a shard's own requests, by listener.

/** Host and port of a listener; no host where it is bound to all addresses, port 0 where it is not known. */
export interface SentBy {
  readonly host: string;
  readonly port: number;
}

/** @param host an IP address, IPv6 without brackets */
export function sentByOf({ host, port }: SentBy): SentBy {
  if (host === '0.0.0.0' || host === '::') return { host: '', port };
  return { host: host.includes(':') ? `[${host}]` : host, port };
}
