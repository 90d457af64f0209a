// A node's exchanges with other nodes beside bindings' traffic: it gives and takes copies of shards, and compares tables. They use HTTP,
// at the port after the one of cluster.listen.

import { ROLE_BROKEN, ROLE_COPYING } from '../../../cluster/roles.ts';
import type { ShardTable } from '../../../cluster/shard-table.ts';
import type { LocationReader } from '../../../location/location-reader.ts';
import type { Log } from '../../process/log.ts';
import { ClusterError } from '../cluster-error.ts';
import { giveCopy } from './copy-source.ts';
import { askNode, type NodePlace } from './exchange-client.ts';
import { ExchangeProof } from './exchange-proof.ts';
import { ExchangeServer, type WritePiece } from './exchange-server.ts';
import { type CopyReport, ShardCopies } from './shard-copies.ts';
import { decodeDigest, digestsOf, encodeDigest, type TableDigest } from './table-digest.ts';
import { type AskDigest, compareShard, type ShardComparison } from './verify.ts';

/** Copies given at a time: each takes all disk and network that it can get. */
const COPIES_MAX = 2;
const PATH = /^\/v1\/(copies|digests)\/(\d{1,4})(?:\?groups=(\d+(?:,\d+)*))?$/;
const DIGEST_BYTES_MAX = 64 << 20;

export interface NodeExchangeOptions {
  readonly cluster: string;
  /** Name of this node. */
  readonly node: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly secret: Uint8Array;
  readonly table: ShardTable;
  /** Directories of the shards' stores. */
  readonly stores: readonly string[];
  /** Readers of this node's tables, by shard. */
  readonly readers: readonly LocationReader[];
  /** Nodes whose copy of a shard is level with the stream; those with the least work for it come first. */
  sources(shard: number): readonly NodePlace[];
  /** Other nodes that are alive. */
  others(): readonly NodePlace[];
  /** Has a shard begin anew with the copy that is ready. */
  renew(shard: number): void;
  readonly log: Log;
}

/** The port after the address for the other nodes. */
export function exchangePort({ port }: { readonly port: number }): number {
  return port + 1;
}

export class NodeExchange {
  private readonly options: NodeExchangeOptions;
  private readonly proof: ExchangeProof;
  private readonly copies: ShardCopies;
  private server: ExchangeServer | undefined;
  private giving = 0;

  private constructor(options: NodeExchangeOptions) {
    const { secret, cluster, node } = options;
    this.options = options;
    this.proof = new ExchangeProof(secret, cluster, node);
    this.copies = new ShardCopies({ ...options, proof: this.proof });
  }

  /** Throws a ClusterError where the address cannot be bound. */
  static async open(options: NodeExchangeOptions): Promise<NodeExchange> {
    const exchange = new NodeExchange(options);
    const { node, listen } = options;
    try {
      exchange.server = await ExchangeServer.open(
        { host: listen.host, port: exchangePort(listen) },
        { proof: exchange.proof, node, answer: (path) => exchange.answer(path) },
      );
    } catch (error) {
      await exchange.close();
      throw error;
    }
    return exchange;
  }

  /** Requests of strangers. */
  get refused(): number {
    return this.server?.refused ?? 0;
  }

  /** Replaces this node's store of a shard by another node's. Throws a ClusterError. */
  reseed(shard: number): Promise<CopyReport> {
    return this.copies.replace(shard);
  }

  /** Compares all tables of this node with those of the other nodes. */
  async verify(): Promise<ShardComparison[]> {
    const compared: ShardComparison[] = [];
    const others = this.options.others();
    for (const shard of this.options.stores.keys()) {
      const asks = others.map((place): [string, AskDigest] => [place.name, (groups) => this.ask(place, shard, groups)]);
      compared.push(await compareShard(shard, (groups) => this.digest(shard, groups), new Map(asks)));
    }
    return compared;
  }

  async close(): Promise<void> {
    await Promise.all([this.server?.close(), this.copies.close()]);
  }

  private answer(path: string): ((write: WritePiece) => Promise<void>) | undefined {
    const [, what, number, groups] = PATH.exec(path) ?? [];
    const shard = Number(number);
    if (!(shard < this.options.stores.length)) return undefined;
    if (what === 'copies') return this.copyOf(shard);
    const wanted = groups?.split(',').map(Number);
    return async (write) => {
      for await (const piece of digestsOf(this.options.readers[shard], wanted)) await write(encodeDigest(piece));
    };
  }

  private copyOf(shard: number): (write: WritePiece) => Promise<void> {
    const role = this.options.table.role(shard);
    if (role === ROLE_COPYING || role === ROLE_BROKEN || role === 0)
      throw new ClusterError(`it does not follow shard ${shard} itself`);
    if (this.giving >= COPIES_MAX) throw new ClusterError('it gives copies to others now');
    return async (write) => {
      this.giving++;
      try {
        await giveCopy(this.options.stores[shard], write);
      } finally {
        this.giving--;
      }
    };
  }

  private async digest(shard: number, groups?: readonly number[]): Promise<TableDigest> {
    const whole: TableDigest = new Map();
    for await (const piece of digestsOf(this.options.readers[shard], groups))
      for (const [group, digest] of piece) whole.set(group, digest);
    return whole;
  }

  private async ask(place: NodePlace, shard: number, groups?: readonly number[]) {
    const pieces: Buffer[] = [];
    let length = 0;
    const query = groups === undefined ? '' : `?groups=${groups.join(',')}`;
    await askNode(this.proof, place, `/v1/digests/${shard}${query}`, (bytes) => {
      length += bytes.length;
      if (length > DIGEST_BYTES_MAX) throw new ClusterError('its digest is too long');
      pieces.push(Buffer.from(bytes));
    });
    return decodeDigest(Buffer.concat(pieces));
  }
}
