// What a stream says, applied message by message as it lasts: the truth that all nodes are compared with. It checks that the stream keeps
// the rules of many-node logs, whatever the nodes do.

import { breaksChain } from '../../../src/cluster/chain.ts';
import { FrameReader, READ_SOUND, READ_STRANGE } from '../../../src/cluster/stream-frame.ts';
import { StreamMac } from '../../../src/cluster/stream-mac.ts';
import { noCheckpoint } from '../../../src/location/checkpoint/checkpoint.ts';
import type { Applied } from '../../../src/location/log/control-entry.ts';
import { FollowedFrame } from '../../../src/location/log/followed-frame.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { ROW_PLACE } from '../../../src/location/table/binding-row.ts';
import { chunkOf, wordOf } from '../../../src/location/table/row-chunks.ts';
import { SimulatedDisk, SimulatedLog } from '../../support/simulated-log.ts';
import { GENERATION_BYTES, KEY } from './cluster-node.ts';

export class StreamOracle {
  readonly store = new LogStore(new SimulatedLog(new SimulatedDisk(), GENERATION_BYTES), noCheckpoint);
  /** By sequence: what is applied once its message is; of a stranger's, what was before. */
  readonly applied: Applied[] = [{ sequence: 0, epoch: 0, node: 0, life: 0, sum: 0, time: 0 }];
  claims = 0;
  strangers = 0;
  private readonly reader: FrameReader;
  private readonly followed = new FollowedFrame();

  constructor(shard: number) {
    this.reader = new FrameReader(new StreamMac(KEY, shard));
  }

  message(sequence: number, bytes: Uint8Array): void {
    const { reader, followed, store } = this;
    const before = this.applied[sequence - 1];
    const read = reader.read(bytes, bytes.length, sequence);
    this.applied[sequence] = before;
    if (read === READ_STRANGE) {
      this.strangers++;
      return;
    }
    if (read !== READ_SOUND) throw new Error(`message ${sequence} is not sound`);
    const wrong = breaksChain(reader, before); // I3
    if (wrong !== null) throw new Error(`message ${sequence}: ${wrong}`);
    followed.take(reader.bytes, reader.words, reader.length);
    const row = followed.contradiction(store.table);
    if (row >= 0) throw new Error(`message ${sequence} contradicts row ${row}`);
    const applied = reader.applied(sequence);
    if (applied.epoch !== before.epoch) this.claims++;
    store.follow(followed, applied);
    this.applied[sequence] = applied;
  }

  /** Throws where a node's table is not this one, row by row and record by record. */
  demandEqual(other: LogStore, who: string): void {
    const { store } = this;
    const rows = Math.max(store.table.rows, other.table.rows);
    for (let row = 0; row < rows; row++) {
      const live = store.table.isLive(row);
      if (live !== other.table.isLive(row)) throw new Error(`${who}: row ${row} is ${live ? 'missing' : 'too many'}`);
      if (!live) continue;
      const mine = chunkOf(store.table.chunks, row);
      const others = chunkOf(other.table.chunks, row);
      const w = wordOf(row);
      for (let i = 0; i < ROW_PLACE; i++)
        if (mine[w + i] !== others[w + i]) throw new Error(`${who}: row ${row} differs in word ${i}`);
    }
    const records = recordsOf(store);
    const found = recordsOf(other);
    for (const [key, record] of records)
      if (found.get(key) !== record) throw new Error(`${who}: the record of ${key} differs`);
    if (found.size !== records.size) throw new Error(`${who}: ${found.size} records, not ${records.size}`);
    if (other.bindings !== store.bindings || other.aors !== store.aors)
      throw new Error(`${who}: counts ${other.aors}, ${other.bindings}, not ${store.aors}, ${store.bindings}`);
  }
}

function recordsOf(store: LogStore): Map<string, string> {
  const records = new Map<string, string>();
  store.scan((key, record) => {
    records.set(Buffer.from(key).toString('hex'), Buffer.from(record).toString('hex'));
  });
  return records;
}
