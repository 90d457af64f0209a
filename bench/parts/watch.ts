// What watching costs a shard (RFC 3680): a subscriber to each AOR of its store, one change of each told to it, and a restart. The driver
// of `decisions`: no sockets and virtual time, but store and subscriptions on disk as a server has them.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DEFAULT_SUBSCRIPTION_POLICY } from '../../src/core/subscriptions/subscription-policy.ts';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { SubscriptionJournal } from '../../src/shard/subscriptions/subscription-journal.ts';
import { BATCH, Driver } from './driver.ts';

const STATUS_LINE = Buffer.from('SIP/2.0 200 OK');
/** Longer than the interval between two NOTIFYs of a subscription. */
const PAUSE_MS = 6000;
/** Between two batches while subscriptions are told of a restart, 500 a second. */
const STEP_MS = 50;

export interface WatchRow {
  readonly subscriptions: number;
  /** Of the heap and beside it, and on disk. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Of a SUBSCRIBE with its NOTIFY; of a refresh that nobody watches, and of one with its NOTIFY; of a NOTIFY alone: each answered. */
  readonly subscribeUs: number;
  readonly unwatchedUs: number;
  readonly watchedUs: number;
  readonly notifyUs: number;
  /** Until the next life has read them, and until it has told them all. */
  readonly readS: number;
  readonly toldS: number;
}

/** @param aors each with one contact and one subscription @param directory empty */
export function benchWatch(aors: number, directory: string): WatchRow {
  const gc = exposedGc();
  const store = openLogStore(join(directory, 'store'), 'process');
  const kept = join(directory, 'subscriptions');
  try {
    const before = firstLife(store, aors, kept, gc);
    const diskBytes = bytesOf(kept) / aors;
    gc(); // of the first life nothing is left
    return { subscriptions: aors, ...before, diskBytes, ...nextLife(store, aors, kept) };
  } finally {
    store.close();
  }
}

function firstLife(
  store: LocationStore,
  aors: number,
  directory: string,
  gc: () => void,
): Pick<WatchRow, 'memoryBytes' | 'subscribeUs' | 'unwatchedUs' | 'watchedUs'> {
  const life = new Watched(store, directory);
  const { driver } = life;
  const refreshAll = () => {
    for (let aor = 0; aor < aors; aor += BATCH) {
      driver.batch(aor, 1, aors);
      life.answer();
    }
  };
  refreshAll();
  const unwatchedUs = cpuOf(refreshAll) / aors;
  gc();
  const before = heapBytes();
  const subscribeUs = cpuOf(() => life.subscribeAll(aors)) / aors;
  gc();
  const memoryBytes = (heapBytes() - before) / aors;
  life.check(aors);
  driver.messages([], PAUSE_MS);
  const watchedUs = cpuOf(refreshAll) / aors;
  driver.check();
  life.check(2 * aors);
  life.journal.close();
  return { memoryBytes, subscribeUs, unwatchedUs, watchedUs };
}

function nextLife(
  store: LocationStore,
  aors: number,
  directory: string,
): Pick<WatchRow, 'readS' | 'toldS' | 'notifyUs'> {
  const life = new Watched(store, directory);
  const began = performance.now();
  life.driver.messages([], 0);
  const readS = (performance.now() - began) / 1000;
  let ms = 0;
  const cpuUs = cpuOf(() => {
    for (; life.driver.counter('notified') < aors && ms < aors * STEP_MS; ms += STEP_MS) life.answer(STEP_MS);
  });
  life.check(aors);
  life.journal.close();
  return { readS, toldS: ms / 1000, notifyUs: cpuUs / aors };
}

/** A life of the shard, and whoever watches there. */
class Watched {
  readonly driver: Driver;
  readonly journal: SubscriptionJournal;
  private answers: Uint8Array[] = [];

  constructor(store: LocationStore, directory: string) {
    this.journal = new SubscriptionJournal(directory, false);
    const policy = { ...DEFAULT_SUBSCRIPTION_POLICY, enabled: true, perShardMax: Number.MAX_SAFE_INTEGER };
    this.driver = new Driver(
      store,
      {
        policy: { ...DEFAULT_POLICY, domains: ['bench.example.org'], subscriptions: policy },
        subscriptions: { journal: this.journal, sentBy: [{ host: '192.0.2.1', port: 5060 }], udpByMain: false },
      },
      ({ bytes, at, end, count }) => {
        for (let row = 0; row < count; row++) this.answers.push(answerTo(bytes.subarray(at[row], end[row])));
      },
    );
  }

  subscribeAll(aors: number): void {
    for (let aor = 0; aor < aors; aor += BATCH) {
      const count = Math.min(BATCH, aors - aor);
      this.driver.messages(
        Array.from({ length: count }, (_, i) => subscribe(aor + i)),
        1,
      );
      this.answer();
    }
  }

  /** Each NOTIFY that waits is answered 200, `ms` later; what is due leaves in the same batch. */
  answer(ms = 0): void {
    this.driver.messages(this.answers.splice(0, BATCH), ms);
    while (this.answers.length > 0) this.driver.messages(this.answers.splice(0, BATCH), 0);
  }

  /** So many NOTIFYs have left, and all were answered. */
  check(least: number): void {
    const [sent, lost] = [this.driver.counter('notified'), this.driver.counter('notify_timeouts')];
    if (sent < least || lost > 0) throw new Error(`${sent} NOTIFYs of ${least}, ${lost} without an answer`);
  }
}

function subscribe(aor: number): Uint8Array {
  const user = String(aor).padStart(8, '0');
  return Buffer.from(
    [
      `SUBSCRIBE sip:user${user}@bench.example.org SIP/2.0`,
      `Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKw${user};rport`,
      'Max-Forwards: 70',
      `From: <sip:server@bench.example.org>;tag=w${user}`,
      `To: <sip:user${user}@bench.example.org>`,
      `Call-ID: watch-${user}@192.0.2.9`,
      'CSeq: 1 SUBSCRIBE',
      'Contact: <sip:watcher@192.0.2.9:5060>',
      'Event: reg',
      'Accept: application/reginfo+xml',
      'Expires: 86400',
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n'),
  );
}

function answerTo(request: Uint8Array): Uint8Array {
  const head = request.subarray(request.indexOf(0x0d), Buffer.from(request).indexOf('\r\nContact:') + 2);
  return Buffer.concat([STATUS_LINE, head, Buffer.from('Content-Length: 0\r\n\r\n')]);
}

function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function bytesOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
