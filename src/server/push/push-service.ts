// Wakes of devices (RFC 8599): their push services, waiting lookups, due refreshes. On the main thread; loaded only where the
// configuration has push.

import { countImages } from '../../core/binding/images.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import type { PushDevice } from '../../core/binding/push-device.ts';
import { awakeDevices } from '../../core/lookup/sleeping-devices.ts';
import { type LocationReader, UnreadableError } from '../../location/location-reader.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import type { WaitingLookup } from '../../threads/waiting/pending-lookups.ts';
import type { PushConfig } from '../config/sections/push-config.ts';
import type { Log } from '../process/log.ts';
import { ApnsPush } from './apns-push.ts';
import { FcmPush } from './fcm-push.ts';
import { PushBudget } from './push-budget.ts';
import { readApnsKey, readSecret, readServiceAccount } from './push-files.ts';
import type { Push, PushProvider } from './push-provider.ts';
import { type PushCounts, type PushOutcome, PushSender } from './push-sender.ts';
import { Refreshes } from './refreshes.ts';
import { type WakeupCounts, Wakeups } from './wakeups.ts';
import { WebhookPush } from './webhook-push.ts';

export interface PushReport {
  readonly services: readonly { readonly service: string; readonly counts: PushCounts; readonly isOpen: boolean }[];
  readonly wakeups: Readonly<WakeupCounts>;
  /** AORs with waiting lookups. */
  readonly waiting: number;
}

/** Parts that are available once the shards are open. */
export interface PushLocation {
  /** Readers by shard. */
  readonly readers: readonly LocationReader[];
  readonly flows: FlowLiveness | null;
  readonly now: () => number;
  /** In a cluster, whether this node owns the shard. */
  readonly isOurs?: (shard: number) => boolean;
}

export class PushService {
  private readonly config: PushConfig;
  private readonly senders: readonly PushSender[];
  /** Senders by pn-provider. */
  private readonly bySort = new Map<string, PushSender>();
  private readonly wakeups: Wakeups;
  /** Waiting lookups over SIP: source and message. Over UDP the same may be repeated. */
  private readonly held = new Set<string>();
  private readonly log: Log;
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);
  private location: PushLocation | undefined;
  private refreshes: Refreshes | undefined;

  /** Throws the error of a key that cannot be read. */
  constructor(config: PushConfig, log: Log) {
    this.config = config;
    this.log = log;
    const budget = new PushBudget(config.perSecond);
    const { apns, fcm, webhook } = config;
    const add = (provider: PushProvider, sorts: readonly string[]): PushSender => {
      const sender = new PushSender(provider, config, budget, log);
      for (const sort of sorts) this.bySort.set(sort, sender);
      return sender;
    };
    this.senders = [
      ...(apns ? [add(new ApnsPush(apns, readApnsKey(apns.keyFile)), ['apns'])] : []),
      ...(fcm ? [add(new FcmPush(fcm, readServiceAccount(fcm.accountFile)), ['fcm'])] : []),
      ...(webhook ? [add(new WebhookPush(webhook, readSecret(webhook.secretFile)), webhook.providers)] : []),
    ];
    this.wakeups = new Wakeups({
      waitMs: config.waitMs,
      awake: (key) => this.awake(key),
      send: (push) => this.send(push, config.waitMs),
      log,
    });
  }

  start(location: PushLocation): void {
    this.location = location;
    const { refreshS } = this.config;
    if (refreshS === 0) return;
    const { readers, now, isOurs = () => true } = location;
    const send = (push: Push) => this.send(push, 0);
    this.refreshes = new Refreshes({ refreshS, readers, isOurs, now, send, log: this.log });
    this.refreshes.start();
  }

  get report(): PushReport {
    const services = this.senders.map(({ provider, counts, isOpen }) => ({ service: provider.name, counts, isOpen }));
    return { services, wakeups: this.wakeups.counts, waiting: this.wakeups.waiting };
  }

  /** Resolves when the devices of the AOR have woken, or their time is over. @param key four words */
  wake(key: Uint32Array, devices: readonly PushDevice[]): Promise<void> {
    return this.wakeups.wake(key, devices);
  }

  /** The same for a lookup over SIP; false: it repeats a waiting one. */
  async holdLookup({ key, devices, bytes, peers }: WaitingLookup): Promise<boolean> {
    const name = `${peers.transport[0]} ${peers.flow[0]} ${peers.port[0]} ${peers.ip.join()} ${Buffer.from(bytes).toString('latin1')}`;
    if (this.held.has(name)) return false;
    this.held.add(name);
    try {
      await this.wake(key, devices);
    } finally {
      this.held.delete(name);
    }
    return true;
  }

  close(): void {
    this.refreshes?.close();
    this.wakeups.close();
    for (const sender of this.senders) sender.close();
  }

  private async send(push: Push, patienceMs: number): Promise<PushOutcome> {
    const sender = this.bySort.get(push.device.provider);
    if (sender === undefined || !sender.provider.sends(push)) return 'refused';
    return sender.send(push, patienceMs);
  }

  private awake(key: Uint32Array): ReadonlySet<string> {
    const { location, record } = this;
    if (location === undefined) return NOBODY;
    const { readers, flows, now } = location;
    const reader = readers[key[3] % readers.length];
    try {
      const length = reader.read(new Uint8Array(key.buffer, key.byteOffset, 16), record);
      if (length <= 0 || length > record.length) return NOBODY;
      const images = RECORD_HEADER_BYTES + recordAorLength(record, 0);
      if (countImages(record, images, length) <= 0) return NOBODY;
      return awakeDevices(record, images, length, now(), flows);
    } catch (error) {
      if (error instanceof UnreadableError) return NOBODY;
      throw error;
    }
  }
}

const NOBODY: ReadonlySet<string> = new Set();
