// The cluster's record as this node has seen it last, in its data directory. With it a node starts while no NATS server answers, and a lost
// META stream is made anew. The file also identifies the META stream: another one of the same name needs all users and static bindings again.

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
  /** Creation time, by its server, of the META stream whose users and static bindings this node has. */
  meta: z.string().optional(),
});

export class KnownRecord {
  private readonly file: SmallFile<z.infer<typeof Known>>;
  private readonly cluster: string;
  private readonly log: Log;
  private content: z.infer<typeof Known> | undefined;
  /** Content of the file. */
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

  /** The record; undefined where the directory was never of a cluster of this name. */
  get record(): ClusterRecord | undefined {
    return this.content?.record;
  }

  get meta(): string | undefined {
    return this.content?.meta;
  }

  /** A full disk is reported, and the record is written as soon as it has space: nothing of the cluster waits for it. */
  keep(record: ClusterRecord): void {
    this.content = { ...this.content, cluster: this.cluster, record };
    try {
      this.write();
    } catch (error) {
      if (!this.isFailing) this.tell(error);
      this.isFailing = true;
    }
  }

  /** Keeps the identity of the META stream, once there is a record. Throws the system's error. */
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
