// Registrations and refreshes as a shard commits them, without messages: AORs user00000000@example.com and on.

import { Identity } from '../../src/core/binding/identity.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { RecordDescriber } from '../../src/shard/describe-record.ts';
import { KeyOf, recordOf, type Template } from '../store/fill.ts';

const PORT = 5099;
const INTERVAL_MS = 3_600_000;
const MESSAGE = [
  'REGISTER sip:example.com SIP/2.0',
  `Via: SIP/2.0/UDP 127.0.0.1:${PORT};branch=z9hG4bKrl00000000`,
  'From: <sip:user00000001@example.com>;tag=d8e900000000',
  'To: <sip:user00000001@example.com>',
  'Call-ID: rl00000000',
  'CSeq: 1 REGISTER',
  `Contact: <sip:user00000001@127.0.0.1:${PORT}>;expires=3600`,
  'User-Agent: phone',
  'Content-Length: 0',
  '',
  '',
].join('\r\n');

export class Registrations {
  private readonly store: LogStore;
  private readonly writes = new WriteSet();
  private readonly template: Template;
  private readonly key: KeyOf;
  private readonly describer: RecordDescriber;
  private readonly row = new RowCopy();
  private made = 0;

  constructor(store: LogStore, secret: Uint8Array) {
    this.store = store;
    this.template = recordOf({ message: MESSAGE, port: PORT }, secret);
    this.key = new KeyOf(secret);
    this.describer = new RecordDescriber(new Identity(secret.subarray(0, 16)));
  }

  /** The AORs from `first` on, each with a Call-ID of its own, so that its record is another one every time. */
  register(first: number, count: number): void {
    const { writes, template } = this;
    for (let n = first; n < first + count; n++) {
      template.write(n, this.made++, Date.now() + INTERVAL_MS);
      const [k0, k1, k2, k3] = this.key.take(template.bytes);
      writes.bytes.set(template.bytes, writes.reserve(template.bytes.length));
      this.describer.describe(writes, writes.put(k0, k1, k2, k3, template.bytes.length));
    }
    this.commit();
  }

  refresh(first: number, count: number): void {
    const { template, row } = this;
    for (let n = first; n < first + count; n++) {
      template.write(n, 0, 0);
      const [k0, k1, k2, k3] = this.key.take(template.bytes);
      if (!this.store.find(k0, k1, k2, k3, row)) throw new Error(`AOR ${n} is not there`);
      row.expiresAt = Date.now() + INTERVAL_MS;
      row.cseq++;
      this.writes.refresh(k0, k1, k2, k3, row);
    }
    this.commit();
  }

  private commit(): void {
    this.store.commit(this.writes, Date.now());
    this.writes.clear();
  }
}
