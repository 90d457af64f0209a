// Which certificate a NATS server has to show to the library @nats-io/transport-node. It hands its options on to Node, but not the IP address
// of a server: Node would want a certificate for "localhost".

import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';

/**
 * For `tls` of the library's options: the certificate is for the server's name, or for one of the servers' addresses.
 * @param hosts of the servers, without brackets
 */
export function identityCheck(hosts: readonly string[]): Pick<ConnectionOptions, 'checkServerIdentity'> {
  const ips = hosts.filter((host) => isIP(host) !== 0);
  if (ips.length === 0) return {};
  return {
    checkServerIdentity: (name, certificate) => {
      if (hosts.includes(name)) return checkServerIdentity(name, certificate);
      const faults = ips.map((ip) => checkServerIdentity(ip, certificate));
      return faults.includes(undefined) ? undefined : faults[0];
    },
  };
}
