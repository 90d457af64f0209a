// Copies of shards from other nodes: where this node's log lacks messages that the stream no longer has, or an operator replaces the
// shard's store. The store is exchanged between two lives of the shard; until then the former life continues as it can.

import { ROLE_COPYING } from '../../../cluster/roles.ts';
import type { ShardTable } from '../../../cluster/shard-table.ts';
import { hasReadyCopy } from '../../../location/files/ready-copy.ts';
import { every } from '../../../transport/every.ts';
import type { Log } from '../../process/log.ts';
import { ClusterError } from '../cluster-error.ts';
import { CopyReader } from './copy-format.ts';
import { CopyWriter } from './copy-writer.ts';
import { askNode, type NodePlace } from './exchange-client.ts';
import type { ExchangeProof } from './exchange-proof.ts';

const LOOK_MS = 500;
/** Pause after a copy that failed, or with which its shard could not begin. */
const RETRY_MS = 5000;

export interface ShardCopiesOptions {
  readonly proof: ExchangeProof;
  readonly table: ShardTable;
  /** Directories of the shards' stores. */
  readonly stores: readonly string[];
  /** Nodes whose copy of a shard is level with the stream; those with the least work for it come first. */
  sources(shard: number): readonly NodePlace[];
  /** Has a shard begin anew with the copy that is ready. */
  renew(shard: number): void;
  readonly log: Log;
}

export interface CopyReport {
  readonly shard: number;
  readonly from: string;
  readonly bytes: number;
}

function copyPath(shard: number): string {
  return `/v1/copies/${shard}`;
}

export class ShardCopies {
  private readonly options: ShardCopiesOptions;
  private readonly timer: NodeJS.Timeout;
  /** One copy at a time: by shard, when it is tried next. */
  private readonly dueAt: number[] = [];
  private busy: Promise<unknown> = Promise.resolve();
  private isBusy = false;
  private isClosed = false;

  constructor(options: ShardCopiesOptions) {
    this.options = options;
    const failed = (error: Error) => options.log('error', 'copies cannot be looked after', { error: error.message });
    this.timer = every(LOOK_MS, () => this.look(), failed);
  }

  /** Replaces this node's store of a shard once it has another node's. Throws a ClusterError where it cannot. */
  replace(shard: number): Promise<CopyReport> {
    const copied = this.busy.then(() => this.copy(shard));
    this.busy = copied.catch(() => {});
    return copied;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    await this.busy;
  }

  private look(): void {
    const { table, stores, log } = this.options;
    if (this.isBusy) return;
    const now = performance.now();
    const shard = stores.findIndex(
      (store, each) => table.role(each) === ROLE_COPYING && now >= (this.dueAt[each] ?? 0) && !hasReadyCopy(store),
    );
    if (shard < 0) return;
    this.isBusy = true;
    this.dueAt[shard] = now + RETRY_MS;
    this.replace(shard)
      .catch((error: Error) => log('warn', 'a shard cannot be copied yet', { shard, error: error.message }))
      .finally(() => {
        this.isBusy = false;
        this.dueAt[shard] = performance.now() + RETRY_MS;
      });
  }

  private async copy(shard: number): Promise<CopyReport> {
    const { table, log, renew } = this.options;
    let reason = 'no other node follows it';
    for (const source of this.options.sources(shard)) {
      this.demandFollower(shard);
      try {
        const bytes = await this.fetch(shard, source);
        renew(shard);
        log('info', 'a shard begins anew with a copy', { shard, from: source.name, bytes });
        return { shard, from: source.name, bytes };
      } catch (error) {
        reason = (error as Error).message;
      }
    }
    throw new ClusterError(`shard ${shard}: ${reason}${table.owner(shard) === 0 ? ', and nobody owns it' : ''}`);
  }

  private demandFollower(shard: number): void {
    if (this.isClosed) throw new ClusterError('this node stops');
    if (this.options.table.isOwner(shard))
      throw new ClusterError(`this node owns shard ${shard}: have another node take it first`);
  }

  private async fetch(shard: number, source: NodePlace): Promise<number> {
    const { stores, proof } = this.options;
    const writer = new CopyWriter(stores[shard]);
    try {
      const reader = new CopyReader(writer);
      await askNode(proof, source, copyPath(shard), (bytes) => {
        if (this.isClosed) throw new ClusterError('this node stops');
        return reader.take(bytes);
      });
      if (!reader.isWhole) throw new ClusterError('the copy is not whole');
      await writer.sync();
      this.demandFollower(shard);
      writer.finish();
      return writer.bytes;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }
}
