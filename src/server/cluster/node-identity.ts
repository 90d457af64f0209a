// The node and cluster of a data directory: a file in it, and the entry of the cluster's record that names it. A second directory under
// the same name is refused.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
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

/** The public fingerprint of the secret, which does not reveal it. */
export function fingerprintOf(secret: Uint8Array): string {
  return deriveText(secret, 'cluster fingerprint');
}

interface Start {
  /** ID of the data directory. */
  readonly directory: string;
  readonly secret: Uint8Array;
  readonly now: Date;
  /** Number of this start. */
  readonly life: number;
}

/** The record with this start of this node added. Throws a ClusterError where it cannot be of the cluster. */
export function enrolled(
  record: ClusterRecord,
  { name, node, listen }: ClusterConfig,
  { directory, secret, now, life }: Start,
): ClusterRecord {
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
  // Starts of one directory are counted in it: only a copy of it has starts of its own.
  if (known?.life !== undefined && known.life >= life)
    throw new ClusterError(
      `another copy of this data directory is node ${node} of cluster ${name}, and was started later (start ${known.life}, ` +
        `this is ${life}): give this one another cluster.node and make its directory with "aorta cluster join", or where ` +
        `that one is gone for good, run "aorta cluster leave ${node}" first`,
    );
  const entry = known ?? { number: freeNumber(record), directory, joined: now.toISOString() };
  const last = Math.max(record.last ?? 0, entry.number);
  return { ...record, last, nodes: { ...record.nodes, [node]: { ...entry, listen: address, life } } };
}
