// The cluster's record as this node has seen it last, in its data directory: with it a node starts while no NATS server answers, and the META
// stream is made anew where it was lost. And which META stream that was: another one of the same name has to be told all again.

import { join } from 'node:path';
import * as z from 'zod';
import { SmallFile } from '../../location/files/small-file.ts';
import { type ClusterRecord, clusterRecord } from './cluster-record.ts';

const FILE = 'cluster-record.json';
const Known = z.strictObject({
  cluster: z.string(),
  record: clusterRecord,
  /** When the META stream was made whose users and static bindings this node has, as its server says it. */
  meta: z.string().optional(),
});

export class KnownRecord {
  private readonly file: SmallFile<z.infer<typeof Known>>;
  private readonly cluster: string;
  private content: z.infer<typeof Known> | undefined;

  /** Throws a SmallFileError where it cannot be read. */
  constructor(data: string, cluster: string) {
    this.file = new SmallFile(join(data, FILE), { check: (content) => Known.parse(content) });
    this.cluster = cluster;
    const found = this.file.read()?.content;
    if (found?.cluster === cluster) this.content = found;
  }

  /** Undefined where the directory has been of no cluster of this name yet. */
  get record(): ClusterRecord | undefined {
    return this.content?.record;
  }

  get meta(): string | undefined {
    return this.content?.meta;
  }

  /** Throws the system's error. */
  keep(record: ClusterRecord): void {
    this.write({ ...this.content, cluster: this.cluster, record });
  }

  /** Once there is a record. Throws the system's error. */
  keepMeta(meta: string): void {
    if (this.content !== undefined) this.write({ ...this.content, meta });
  }

  private write(content: z.infer<typeof Known>): void {
    if (JSON.stringify(content) === JSON.stringify(this.content)) return;
    this.file.write(content);
    this.content = content;
  }
}
