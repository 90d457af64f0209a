// Which node of which cluster a data directory is: a file in it, and the entry of the cluster's record that names it. A second directory
// under the same name is refused.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { deriveText } from '../../core/auth/derived-key.ts';
import { SmallFile } from '../../location/files/small-file.ts';
import { type ClusterConfig, formatPeer } from '../config/sections/cluster-config.ts';
import { ClusterError } from './cluster-error.ts';
import { type ClusterRecord, freeNumber } from './cluster-record.ts';

const FILE = 'cluster.json';
const Identity = z.strictObject({ cluster: z.string(), directory: z.string() });

/** The directory's own ID, made where there is none. Throws a ClusterError where it is of another cluster. */
export function identify(data: string, cluster: string): string {
  const file = new SmallFile(join(data, FILE), { check: (content) => Identity.parse(content) });
  const found = file.read()?.content;
  if (found !== undefined && found.cluster !== cluster)
    throw new ClusterError(
      `${data} is of cluster ${found.cluster}, not of ${cluster}: correct cluster.name, or start with another --data`,
    );
  if (found !== undefined) return found.directory;
  const directory = randomBytes(8).toString('hex');
  file.write({ cluster, directory });
  return directory;
}

/** What all know of the secret, which it does not tell. */
export function fingerprintOf(secret: Uint8Array): string {
  return deriveText(secret, 'cluster fingerprint');
}

/** The record with this node in it; undefined where it is there as it should be. Throws a ClusterError where it cannot be of the cluster. */
export function enrolled(
  record: ClusterRecord,
  { name, node, listen }: ClusterConfig,
  { directory, secret, now }: { directory: string; secret: Uint8Array; now: Date },
): ClusterRecord | undefined {
  if (record.fingerprint !== fingerprintOf(secret))
    throw new ClusterError(
      `this node's secret is not the one of cluster ${name}: make its data directory with ` +
        `"aorta cluster join --token FILE" and the token of "aorta cluster init"`,
    );
  const address = formatPeer(listen);
  const known = record.nodes[node];
  if (known !== undefined && known.directory !== directory)
    throw new ClusterError(
      `node ${node} of cluster ${name} is another data directory, at ${known.listen} since ${known.joined}: give this ` +
        `one another cluster.node, or where that one is gone for good, run "aorta cluster leave ${node}" first`,
    );
  if (known?.listen === address) return undefined;
  const entry = known ?? { number: freeNumber(record), directory, joined: now.toISOString() };
  return { ...record, nodes: { ...record.nodes, [node]: { ...entry, listen: address } } };
}
