// The main thread's readers of committed bindings, one per shard: opened again with every life of a shard, and kept current by
// the shard's announcements.

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { LocationReader } from '../location/location-reader.ts';
import { LogFiles } from '../location/log/log-files.ts';
import { LogReader } from '../location/log/log-reader.ts';
import type { TableNews, TableParts } from '../location/table/binding-table.ts';

/** A shard's table for readers, given when it has opened its store. */
export interface SharedTable {
  readonly directory: string;
  readonly parts: TableParts;
  /** Port that TableNews arrive at. */
  readonly port: MessagePort;
}

export class Readers {
  private readonly readers: (LogReader | undefined)[] = [];
  private readonly ports: (MessagePort | undefined)[] = [];

  /** A life of a shard begins; the one before is over. */
  opened(shard: number, { directory, parts, port }: SharedTable): void {
    this.close(shard);
    const next = () => receiveMessageOnPort(port)?.message as TableNews | undefined;
    const reader = new LogReader(new LogFiles(directory), parts, next);
    port.on('message', (news: TableNews) => reader.hear(news));
    port.unref();
    this.readers[shard] = reader;
    this.ports[shard] = port;
  }

  /** Reads a shard's bindings through all its lives; between two of them, the last one's bindings. Empty before the first. */
  of(shard: number): LocationReader {
    const { readers } = this;
    return {
      read: (key, into) => readers[shard]?.read(key, into) ?? -1,
      scan: (after, max, visit) => readers[shard]?.scan(after, max, visit),
      close: () => {},
    };
  }

  closeAll(): void {
    for (const shard of this.readers.keys()) this.close(shard);
  }

  private close(shard: number): void {
    this.readers[shard]?.close();
    this.ports[shard]?.close();
    this.readers[shard] = undefined;
    this.ports[shard] = undefined;
  }
}
