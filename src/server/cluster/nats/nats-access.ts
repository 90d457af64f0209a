// The threads' access to NATS, made before the servers' addresses are known.

import { randomBytes } from 'node:crypto';
import type { ClusterOptions } from '../../../threads/cluster/cluster-options.ts';
import { createAddressMemory } from '../../../transport/nats/nats-addresses.ts';
import { createLoginMemory } from '../../../transport/nats/shared-login.ts';
import type { ClusterConfig } from '../../config/sections/cluster-config.ts';

/** @param relayToken given where servers speak TLS */
export function natsAccess({ node, nats }: ClusterConfig, relayToken: string | undefined): ClusterOptions['access'] {
  return {
    addresses: createAddressMemory(nats.servers.length),
    login: createLoginMemory(),
    node,
    inbox: `_INBOX.aorta-${node}-${randomBytes(6).toString('hex')}`,
    ...(relayToken !== undefined && { relayToken }),
  };
}
