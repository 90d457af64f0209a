// The subscriptions of a shard: by AOR and by slot, with the destination of each one's requests, and all in the journal, if there is one.

import type { Dialog } from '../../core/subscriptions/dialog.ts';
import { Subscription, type SubscriptionRecord } from '../../core/subscriptions/subscription.ts';
import { copyPeer, createPeers, type Peers } from '../../sip/sources.ts';
import type { StoredPeer, StoredSubscription, SubscriptionJournal } from './subscription-journal.ts';
import { type WatchedAor, WatchedAors } from './watched-aors.ts';

const ROWS_MIN = 64;
/** Time until a failed disk is tried again. */
export const AGAIN_S = 1;
export const AGAIN_MS = AGAIN_S * 1000;

export interface Entry {
  readonly subscription: Subscription;
  readonly aor: WatchedAor;
}

export class SubscriptionTable {
  readonly watched = new WatchedAors();
  /** By slot: destination of requests. */
  rows: Peers = createPeers(ROWS_MIN);
  count = 0;
  /** Lead of the subscriptions' time over the clock, ms; the journal keeps ends by the clock. */
  ahead = 0;
  private readonly entries: (Entry | undefined)[] = [];
  private readonly free: number[] = [];
  private readonly journal: SubscriptionJournal | null;
  private works = true;
  /** The journal's subscriptions are loaded. */
  isOpen = false;
  /** Gets the disk's errors. */
  private readonly failed: (error: unknown) => void;

  constructor(journal: SubscriptionJournal | null, failed: (error: unknown) => void) {
    this.journal = journal;
    this.failed = failed;
  }

  /** Loads the journal's subscriptions, at the start; again after `AGAIN_MS` where the disk fails. @param peer the current row of a stored peer */
  open(peer: (stored: StoredPeer) => StoredPeer): Entry[] {
    let stored: readonly StoredSubscription[] = [];
    this.isOpen = this.tryJournal((journal) => {
      stored = journal.open();
    });
    this.free.length = 0;
    for (const { slot, key, aor, peer: was, ...record } of stored) {
      this.growTo(slot);
      writePeer(peer(was), this.rows, slot);
      this.enter(slot, record, this.watched.watch(Uint32Array.from(key), aor));
    }
    for (let slot = this.entries.length - 1; slot >= 0; slot--)
      if (this.entries[slot] === undefined) this.free.push(slot);
    return this.entries.filter((entry) => entry !== undefined);
  }

  at(slot: number): Entry | undefined {
    return this.entries[slot];
  }

  /** The subscription with these dialog names. */
  find(aor: WatchedAor | undefined, names: Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'>): Entry | undefined {
    const subscription = aor?.subscriptions.find(
      ({ dialog }) =>
        dialog.localTag === names.localTag && dialog.callId === names.callId && dialog.remoteTag === names.remoteTag,
    );
    return subscription && this.entries[subscription.slot];
  }

  /** Adds a subscription, whose record and destination come by `change`. */
  add(record: SubscriptionRecord, key: Uint32Array, name: string): Entry {
    const slot = this.free.pop() ?? this.entries.length;
    this.growTo(slot);
    return this.enter(slot, record, this.watched.watch(key, name));
  }

  /**
   * Writes a record, and the peer of a row with another port as destination, to the journal, then sets the destination. False where the disk
   * fails: nothing has changed.
   */
  change(entry: Entry, record: SubscriptionRecord, peers: Peers, row: number, port: number): boolean {
    const isKept = this.tryJournal((journal) =>
      journal.put({ ...this.stored(entry, record), peer: { ...readPeer(peers, row), port } }),
    );
    if (!isKept) return false;
    const { slot } = entry.subscription;
    copyPeer(peers, row, this.rows, slot);
    this.rows.port[slot] = port;
    return true;
  }

  /** Writes that a NOTIFY is sent; with the last one also the end. */
  told(entry: Entry): void {
    const { slot, version, cseq, isEnding } = entry.subscription;
    this.tryJournal((journal) => {
      if (isEnding) journal.put(this.stored(entry));
      else journal.told(slot, version, cseq);
    });
  }

  remove({ subscription, aor }: Entry): void {
    const { slot } = subscription;
    aor.subscriptions.splice(aor.subscriptions.indexOf(subscription), 1);
    if (aor.subscriptions.length === 0) this.watched.forget(aor);
    this.entries[slot] = undefined;
    this.free.push(slot);
    this.count--;
    this.tryJournal((journal) => journal.end(slot));
  }

  /** The journal's own work, in bounded pieces. */
  work(now: number): void {
    this.works = this.tryJournal((journal) => journal.work(now, this.entries.length, (slot) => this.storedAt(slot)));
  }

  /** Milliseconds until `work` is due, 0 when it is, -1 when there is nothing to wait for. */
  msToNext(now: number): number {
    return this.works && this.isOpen ? (this.journal?.msToNext(now) ?? -1) : AGAIN_MS;
  }

  private enter(slot: number, record: SubscriptionRecord, aor: WatchedAor): Entry {
    const subscription = new Subscription(slot, record);
    const entry = { subscription, aor };
    aor.subscriptions.push(subscription);
    this.entries[slot] = entry;
    this.count++;
    return entry;
  }

  private storedAt(slot: number): StoredSubscription | undefined {
    const entry = this.entries[slot];
    return entry && this.stored(entry);
  }

  private stored({ subscription, aor }: Entry, record = subscription.record): StoredSubscription {
    const { slot } = subscription;
    const expiresAt = record.expiresAt - this.ahead;
    return { slot, key: [...aor.key], aor: aor.name, peer: readPeer(this.rows, slot), ...record, expiresAt };
  }

  private tryJournal(act: (journal: SubscriptionJournal) => void): boolean {
    if (this.journal === null) return true;
    try {
      act(this.journal);
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  private growTo(slot: number): void {
    while (this.entries.length <= slot) this.entries.push(undefined);
    const rows = this.rows.port.length;
    if (slot < rows) return;
    const grown = createPeers(Math.max(2 * rows, slot + 1));
    for (let row = 0; row < rows; row++) copyPeer(this.rows, row, grown, row);
    this.rows = grown;
  }
}

function readPeer(rows: Peers, row: number): StoredPeer {
  const bytes = (column: Uint8Array) => Buffer.from(column.subarray(row << 4, (row + 1) << 4)).toString('hex');
  return {
    family: rows.family[row],
    ip: bytes(rows.ip),
    port: rows.port[row],
    transport: rows.transport[row],
    listener: rows.listener[row],
    flow: rows.flow[row],
    node: rows.node[row],
    answeredByMain: rows.answeredByMain[row],
    local: bytes(rows.local),
  };
}

function writePeer(peer: StoredPeer, rows: Peers, row: number): void {
  const { ip, local, ...numbers } = peer;
  rows.ip.set(Buffer.from(ip, 'hex'), row << 4);
  rows.local.set(Buffer.from(local, 'hex'), row << 4);
  for (const [column, value] of Object.entries(numbers)) rows[column as keyof typeof numbers][row] = value;
}
