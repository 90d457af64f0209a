// Wakes devices whose binding is about to expire, to refresh it (RFC 8599 §5.5): bindings are read in the background, again and again.
// Pushes are spread, so that devices that registered together do not refresh together.

import {
  expiresAtOf,
  hasFlag,
  imageLength,
  isImage,
  paramsEnd,
  refreshedAtOf,
  uriEnd,
} from '../../core/binding/binding.ts';
import { IMAGE_PUSH } from '../../core/binding/image-layout.ts';
import { deviceOf, type PushDevice } from '../../core/binding/push-device.ts';
import { deviceKey } from '../../core/lookup/sleeping-devices.ts';
import { type LocationReader, SCAN_START } from '../../location/location-reader.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import { every } from '../../transport/every.ts';
import type { Log } from '../process/log.ts';
import type { Push } from './push-provider.ts';
import type { PushOutcome } from './push-sender.ts';

const LOOK_MS = 1000;
/** A round rests this many times as long as it took. */
const REST = 9;
const REST_MS_MIN = 5000;
const SLICE = 256;
/** A device that wakes by itself may refresh first (§5.5). */
const BY_ITSELF_S = 120;
const PNSREG = ';+sip.pnsreg';

export interface RefreshOptions {
  readonly refreshS: number;
  /** Readers by shard. */
  readonly readers: readonly LocationReader[];
  /** Whether this node wakes the devices of the shard's bindings. */
  readonly isOurs: (shard: number) => boolean;
  /** The time that bindings live by, epoch ms. */
  readonly now: () => number;
  readonly send: (push: Push) => Promise<PushOutcome>;
  readonly log: Log;
}

interface Told {
  readonly refreshedAt: number;
  readonly until: number;
}

export class Refreshes {
  private readonly options: RefreshOptions;
  /** By device: the refresh after which it was woken. */
  private readonly told = new Map<string, Told>();
  private timer: NodeJS.Timeout | undefined;
  private busy = false;
  private closed = false;
  private next = 0;

  constructor(options: RefreshOptions) {
    this.options = options;
  }

  start(): void {
    const { log } = this.options;
    const failed = (error: Error) => log('error', 'bindings that end cannot be looked for', { error: error.message });
    const look = () => {
      if (this.busy || performance.now() < this.next) return;
      this.busy = true;
      void this.round()
        .catch(failed)
        .finally(() => {
          this.busy = false;
        });
    };
    this.timer = every(LOOK_MS, look, failed);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  /** Examines all bindings once. */
  async round(): Promise<void> {
    const began = performance.now();
    const { readers, isOurs, now } = this.options;
    for (const [shard, reader] of readers.entries()) {
      if (!isOurs(shard)) continue;
      for (let after: Uint8Array | undefined = SCAN_START; after !== undefined && !this.closed; await turn())
        after = reader.scan(after, SLICE, (_key, record) => this.look(record, now()));
    }
    const ended = now();
    for (const [device, { until }] of this.told) if (until <= ended) this.told.delete(device);
    this.next = performance.now() + Math.max(REST_MS_MIN, (performance.now() - began) * REST);
  }

  private look(record: Uint8Array, now: number): void {
    const last = now + this.options.refreshS * 1000;
    for (let at = RECORD_HEADER_BYTES + recordAorLength(record, 0); at < record.length; at += imageLength(record, at)) {
      if (!isImage(record, at, record.length)) return;
      const until = expiresAtOf(record, at);
      if (until <= now || until > last || !hasFlag(record, at, IMAGE_PUSH)) continue;
      const device = deviceOf(record, at);
      if (device !== null) this.wake(device, record, at, until, now);
    }
  }

  private wake(device: PushDevice, record: Uint8Array, image: number, until: number, now: number): void {
    const name = deviceKey(device);
    const refreshedAt = refreshedAtOf(record, image);
    if (this.told.get(name)?.refreshedAt === refreshedAt) return;
    const byItself = wakesByItself(record, image);
    if (until - now > 1000 * pushBeforeS(this.options.refreshS, byItself, name)) return;
    this.told.set(name, { refreshedAt, until });
    void this.options.send({ device, reason: 'refresh', until: Date.now() + until - now }).then((outcome) => {
      if (outcome === 'put off' || outcome === 'failed') this.told.delete(name); // the next round tries again
    });
  }
}

/** Seconds before its binding expires at which a device is woken: spread over the available time, above 120 s where there is so much. */
export function pushBeforeS(refreshS: number, byItself: boolean, device: string): number {
  if (byItself) return Math.min(refreshS, BY_ITSELF_S);
  const spread = refreshS > BY_ITSELF_S ? refreshS - BY_ITSELF_S : refreshS / 2;
  let hash = 0;
  for (let i = 0; i < device.length; i++) hash = (Math.imul(hash, 31) + device.charCodeAt(i)) >>> 0;
  return refreshS - (spread * (Math.imul(hash, 0x9e3779b1) >>> 22)) / 1024;
}

function wakesByItself(record: Uint8Array, image: number): boolean {
  const at = uriEnd(record, image);
  return Buffer.from(record.buffer, record.byteOffset + at, paramsEnd(record, image) - at)
    .toString('latin1')
    .toLowerCase()
    .includes(PNSREG);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
