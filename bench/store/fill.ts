// Fills a data directory with bindings as a server would have written them, without sending a message: one REGISTER of the
// load generator goes through a shard, and what came of it is written once per AOR with other digits.

import { Identity } from '../../src/core/binding/identity.ts';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { AOR_KEY_BYTES } from '../../src/location/aor-key-size.ts';
import { MemoryStore } from '../../src/location/memory-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength, sealRecord } from '../../src/location/record.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { shardDirectories } from '../../src/server/data/binding-folders.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { RecordDescriber } from '../../src/shard/describe-record.ts';
import { COUNTER_NAMES } from '../../src/shard/observe/counters.ts';
import { Shard } from '../../src/shard/shard.ts';
import { shardOf } from '../../src/shard/shard-of.ts';
import { slab, slotStart } from '../../src/sip/parser/slab.ts';
import { SipHash } from '../../src/sip/siphash.ts';
import { TRANSPORT_UDP } from '../../src/sip/sources.ts';

const DIGITS = 8;
const REPORT_EVERY = 100_000;

export interface FillOptions {
  readonly data: string;
  readonly shards: number;
  /** AORs `user` + eight digits, from `first` on. */
  readonly first: number;
  readonly aors: number;
  /** A REGISTER of the AOR with the number 1, from 127.0.0.1 port `port`. */
  readonly message: string;
  readonly port: number;
  /** Epoch ms at which the binding of AOR number n ends. */
  readonly expiresAt: (n: number) => number;
  readonly progress: (done: number) => void;
}

/** Bytes and CPU seconds per AOR are worth nothing here: it is a way to begin. Several calls add up. */
export function fill(options: FillOptions): void {
  const { data, shards, first, aors, progress } = options;
  const directory = openDataDirectory(data, { shards });
  const stores = shardDirectories(directory.bindings.path, shards).map((path) => openLogStore(path, 'process'));
  try {
    const template = recordOf(options, directory.secret);
    const describer = new RecordDescriber(new Identity(directory.secret.subarray(0, 16)));
    const key = new KeyOf(directory.secret);
    const sets = stores.map(() => new WriteSet());
    const commit = (shard: number) => {
      stores[shard].commit(sets[shard], Date.now());
      sets[shard].clear();
    };
    for (let n = first; n < first + aors; n++) {
      template.write(n, n - first, options.expiresAt(n));
      const words = key.take(template.bytes);
      const shard = shardOf(words[3], shards);
      const writes = sets[shard];
      const at = writes.reserve(template.bytes.length);
      writes.bytes.set(template.bytes, at);
      const entry = writes.put(words[0], words[1], words[2], words[3], template.bytes.length);
      describer.describe(writes, entry);
      if (writes.full) commit(shard);
      if ((n - first) % REPORT_EVERY === 0) progress(n - first);
    }
    for (const shard of stores.keys()) commit(shard);
    progress(aors);
  } finally {
    for (const store of stores) store.close();
    directory.close();
  }
}

export class KeyOf {
  private readonly hash: SipHash;

  constructor(secret: Uint8Array) {
    this.hash = new SipHash(secret.subarray(0, 16));
  }

  /** Of the AOR that a record names. */
  take(record: Uint8Array): Uint32Array {
    const { hash } = this;
    hash.begin();
    hash.span(record, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + recordAorLength(record, 0));
    hash.end();
    return hash.out;
  }
}

export interface Template {
  readonly bytes: Uint8Array;
  /** @param index of the AOR in the generator's run, from 0 */
  write(n: number, index: number, expiresAt: number): void;
}

/** The record of AOR number 1, and how to make another's of it. */
export function recordOf({ message, port }: Pick<FillOptions, 'message' | 'port'>, secret: Uint8Array): Template {
  const store = new MemoryStore();
  const shard = new Shard({
    index: 0,
    shards: 1,
    store,
    policy: { ...DEFAULT_POLICY, domains: ['*'] },
    secret,
    counters: new Float64Array(COUNTER_NAMES.length),
    forward: () => false,
    log: () => {},
  });
  shard.open();
  const { peers } = shard;
  peers.family[0] = 4;
  peers.ip.set([127, 0, 0, 1]);
  peers.port[0] = port;
  peers.transport[0] = TRANSPORT_UDP;
  const now = Date.now();
  slab.set(Buffer.from(message, 'latin1'), slotStart(0));
  shard.receive(0, message.length, now);
  shard.commit(now);
  let record = new Uint8Array(0);
  let key = new Uint8Array(AOR_KEY_BYTES);
  store.scan((k, bytes) => {
    key = Uint8Array.from(k);
    record = Uint8Array.from(bytes);
  });
  if (record.length === 0 || key.length !== AOR_KEY_BYTES)
    throw new Error(`the generator's REGISTER was refused:\n${message}`);
  return patchable(record);
}

function patchable(bytes: Uint8Array): Template {
  const text = Buffer.from(bytes).toString('latin1');
  const ones = [...text.matchAll(/user0{7}1(?!\d)/g)].map(({ index }) => index + 4);
  const zeros = [...text.matchAll(/(?:rl|d8e9)0{8}(?![\da-f])/g)].map(
    ({ index, 0: all }) => index + all.length - DIGITS,
  );
  const images = RECORD_HEADER_BYTES + recordAorLength(bytes, 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    bytes,
    write(n, index, expiresAt) {
      for (const at of ones) writeNumber(bytes, at, n, 10);
      for (const at of zeros) writeNumber(bytes, at, index, 16);
      view.setBigUint64(images + EXPIRES_AT, BigInt(expiresAt), true);
      // Whole seconds before, as a registrar grants them: without the binding is none that a plain refresh knows.
      view.setBigUint64(images + REFRESHED_AT, BigInt(expiresAt - GRANTED_MS), true);
      sealRecord(bytes, 0, bytes.length);
    },
  };
}

/** Of an image: its end, and when it was refreshed last, epoch ms. */
const EXPIRES_AT = 2;
const REFRESHED_AT = 10;
const GRANTED_MS = 10_800_000;

function writeNumber(bytes: Uint8Array, at: number, value: number, base: number): void {
  let left = value;
  for (let i = at + DIGITS - 1; i >= at; i--) {
    const digit = left % base;
    bytes[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    left = Math.floor(left / base);
  }
}
