// The cluster's record as this node has seen it last, in its data directory: with it a node starts while no NATS server answers, and the META
// stream is made anew where it was lost. And which META stream that was: another one of the same name has to be told all again.

import { join } from 'node:path';
import * as z from 'zod';
import { SmallFile } from '../../location/files/small-file.ts';
import type { Log } from '../process/log.ts';
import { reasonOf } from '../process/reason-of.ts';
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
  private readonly log: Log;
  private content: z.infer<typeof Known> | undefined;
  /** What the file has. */
  private written: string | undefined;
  private isFailing = false;

  /** Throws a SmallFileError where it cannot be read. */
  constructor(data: string, cluster: string, log: Log) {
    this.file = new SmallFile(join(data, FILE), { check: (content) => Known.parse(content) });
    this.cluster = cluster;
    this.log = log;
    const found = this.file.read()?.content;
    if (found?.cluster !== cluster) return;
    this.content = found;
    this.written = JSON.stringify(found);
  }

  /** Undefined where the directory has been of no cluster of this name yet. */
  get record(): ClusterRecord | undefined {
    return this.content?.record;
  }

  get meta(): string | undefined {
    return this.content?.meta;
  }

  /** What a full disk does not take is told, and written as soon as it does: nothing of the cluster waits for it. */
  keep(record: ClusterRecord): void {
    this.content = { ...this.content, cluster: this.cluster, record };
    try {
      this.write();
    } catch (error) {
      if (!this.isFailing) this.tell(error);
      this.isFailing = true;
    }
  }

  /** Once there is a record. Throws the system's error. */
  keepMeta(meta: string): void {
    if (this.content === undefined) return;
    this.content = { ...this.content, meta };
    this.write();
  }

  private write(): void {
    const { content } = this;
    const text = JSON.stringify(content);
    if (content === undefined || text === this.written) return;
    this.file.write(content);
    this.written = text;
    if (this.isFailing) this.log('info', "the cluster's record is kept again", { file: this.file.path });
    this.isFailing = false;
  }

  private tell(error: unknown): void {
    const problem = 'free some space, or mend the disk: a start without NATS servers would go by an older record';
    this.log('error', "the cluster's record cannot be kept", {
      ...{ file: this.file.path, error: reasonOf(error), problem },
    });
  }
}
