// Batches of bindings as a shard's decisions leave them: registrations of the load generator's phones, and their refreshes.

import { Identity } from '../../src/core/binding/identity.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { RecordDescriber } from '../../src/shard/describe-record.ts';
import { KeyOf, recordOf, type Template } from '../store/fill.ts';

const SECRET = new Uint8Array(32).fill(3);
const EXPIRES_MS = 7_200_000;

export class Batches {
  readonly writes = new WriteSet();
  private readonly template: Template;
  private readonly describer = new RecordDescriber(new Identity(SECRET.subarray(0, 16)));
  private readonly key = new KeyOf(SECRET);
  private readonly row = new RowCopy();
  private readonly end = Date.now() + EXPIRES_MS;
  private refreshed = 0;

  /** @param message the generator's REGISTER, from 127.0.0.1 port `port` */
  constructor(message: string, port: number) {
    this.template = recordOf({ message, port }, SECRET);
  }

  /** AORs from number `first` on, new ones. */
  registrations(first: number, count: number): WriteSet {
    const { writes, describer } = this;
    writes.clear();
    for (let n = first; n < first + count; n++) {
      const { bytes } = this.take(n);
      const [k0, k1, k2, k3] = this.key.take(bytes);
      writes.bytes.set(bytes, writes.reserve(bytes.length));
      describer.describe(writes, writes.put(k0, k1, k2, k3, bytes.length));
    }
    return writes;
  }

  /** AORs from number `first` on that `store` has. */
  refreshes(store: LogStore, first: number, count: number): WriteSet {
    const { writes, row } = this;
    writes.clear();
    this.refreshed += 1000;
    for (let n = first; n < first + count; n++) {
      const [k0, k1, k2, k3] = this.key.take(this.take(n).bytes);
      if (!store.find(k0, k1, k2, k3, row) || !row.plain) throw new Error(`AOR ${n} has no plain binding`);
      row.expiresAt = this.end + this.refreshed;
      row.cseq++;
      writes.refresh(k0, k1, k2, k3, row);
    }
    return writes;
  }

  private take(n: number): Template {
    this.template.write(n, n - 1, this.end);
    return this.template;
  }
}
