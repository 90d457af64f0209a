// The hosts of Request-URIs that mean this server (Policy.serverNames): those of the configuration, and the addresses it listens on.

import { networkInterfaces } from 'node:os';
import type { Policy } from '../../core/uas/policy.ts';
import type { ListenAddress } from '../../transport/listener.ts';

/** The policy with the addresses among its names; an address for all interfaces is replaced by their present ones. */
export function withOwnAddresses(policy: Policy, listen: readonly ListenAddress[]): Policy {
  const addresses = listen.flatMap(({ host }) =>
    isUnspecified(host) ? interfaceAddresses(host.includes(':')) : [host],
  );
  const names = addresses.map((host) => (host.includes(':') ? `[${host.toLowerCase()}]` : host));
  return { ...policy, serverNames: [...new Set([...policy.serverNames, ...names])] };
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}

/** An IPv6 socket for all addresses accepts IPv4, too. */
function interfaceAddresses(alsoIpv6: boolean): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ family }) => alsoIpv6 || family === 'IPv4').map(({ address }) => address.replace(/%.*$/, '')),
  );
}
