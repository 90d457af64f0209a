// Subscriptions to registrations: made, refreshed and ended, a sync a step, while their file is begun anew all the time and copied a piece at a step.

import { type StoredSubscription, SubscriptionJournal } from '../../../src/shard/subscriptions/subscription-journal.ts';
import { Random } from '../../simulation/shards/random.ts';
import type { Content, Run, Subject } from '../subject.ts';

/** More than are copied at a time. */
const SLOTS = 150;
const FILE_BYTES = 4096;
const STEP_MS = 1000;
const BEGIN_MS = 1_800_000_000_000;

/** By slot, what step `n` writes; undefined: an end. The first one fills most slots. */
function changesOf(seed: number, n: number): ReadonlyMap<number, string | undefined> {
  const random = new Random(seed * 15_485_863 + n);
  const changes = new Map<number, string | undefined>();
  for (let i = n === 0 ? 2 * SLOTS : random.between(1, 12); i > 0; i--)
    changes.set(random.between(0, SLOTS - 1), n > 0 && random.chance(0.3) ? undefined : `call-${n}-${i}`);
  return changes;
}

function subscriptionOf(slot: number, callId: string): StoredSubscription {
  const peer = { family: 4, ip: '00', port: 5060, transport: 0, listener: 0, flow: 0, node: 0, local: '00' };
  const parties = { localTag: 'a', local: 'a', remoteTag: 'b', remote: 'b', target: 'c', contact: 'd' };
  return {
    ...{ slot, key: [1, 2, 3, slot], aor: 'u@example.com', peer: { ...peer, answeredByMain: 0 } },
    ...{ dialog: { callId, ...parties, routes: [], event: 'reg', remoteCseq: 1 } },
    ...{ expiresAt: BEGIN_MS, version: 0, cseq: 0, seesDevices: false },
  };
}

class SubscriptionsRun implements Run {
  private readonly seed: number;
  private readonly journal: SubscriptionJournal;
  private readonly there: Map<number, StoredSubscription>;
  private now = BEGIN_MS;

  constructor(directory: string, seed: number) {
    this.seed = seed;
    this.journal = new SubscriptionJournal(`${directory}/subscriptions`, true, FILE_BYTES);
    this.there = new Map(this.journal.open().map((one) => [one.slot, one]));
  }

  step(n: number): void {
    for (const [slot, callId] of changesOf(this.seed, n)) {
      if (callId === undefined) {
        this.there.delete(slot);
        this.journal.end(slot);
      } else {
        const one = subscriptionOf(slot, callId);
        this.there.set(slot, one);
        this.journal.put(one);
      }
    }
    this.now += STEP_MS;
    this.journal.work(this.now, SLOTS, (slot) => this.there.get(slot));
  }

  content(): Content {
    return new Map([...this.there.values()].map(({ slot, dialog }) => [String(slot), dialog.callId]));
  }

  close(): void {
    this.journal.close();
  }
}

function expected(seed: number, steps: number): Map<string, string> {
  const content = new Map<string, string>();
  for (let n = 0; n < steps; n++)
    for (const [slot, callId] of changesOf(seed, n)) {
      if (callId === undefined) content.delete(String(slot));
      else content.set(String(slot), callId);
    }
  return content;
}

export const SUBSCRIPTIONS: Subject = {
  name: 'subscriptions',
  steps: 40,
  open: (directory, seed) => new SubscriptionsRun(directory, seed),
  expected,
  /** Of steps that were not acknowledged, any change may be there: a step is many lines. What a start has found stays. */
  check(found, { seed, acknowledged, most = acknowledged + 1, before }) {
    const base = before?.steps === 0 ? before.content : expected(seed, acknowledged);
    for (let slot = 0; slot < SLOTS; slot++) {
      const allowed = [base.get(String(slot))];
      for (let n = acknowledged; n < most; n++) {
        const changes = changesOf(seed, n);
        if (changes.has(slot)) allowed.push(changes.get(slot));
      }
      const is = found.get(String(slot));
      if (!allowed.includes(is)) return `after ${acknowledged} steps ${slot}: ${is} instead of ${allowed.join(' or ')}`;
    }
    return undefined;
  },
};
