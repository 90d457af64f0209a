// Lookups that wait for devices to wake. Each device gets one push at a time, and the AOR's committed record is read again and
// again until the device has registered, or its time is over.

import type { PushDevice } from '../../core/binding/push-device.ts';
import { deviceKey } from '../../core/lookup/sleeping-devices.ts';
import { every } from '../../transport/every.ts';
import type { Log } from '../process/log.ts';
import { DeviceNotes } from './device-notes.ts';
import type { Push } from './push-provider.ts';
import type { PushOutcome } from './push-sender.ts';

const LOOK_MS = 50;

export interface WakeupCounts {
  /** Lookups that waited. */
  waited: number;
  /** Devices that registered in time. */
  woken: number;
  /** Devices that did not register in time. */
  timedOut: number;
}

export interface WakeupsOptions {
  readonly waitMs: number;
  /** Keys of the AOR's reachable devices, by committed bindings. */
  readonly awake: (key: Uint32Array) => ReadonlySet<string>;
  readonly send: (push: Push) => Promise<PushOutcome>;
  readonly log: Log;
}

/** Devices that lookups of one AOR wait for. */
interface Wait {
  readonly key: Uint32Array;
  readonly devices: Set<string>;
  /** Epoch ms. */
  readonly until: number;
  readonly over: Promise<void>;
  readonly end: () => void;
}

export class Wakeups {
  readonly counts: WakeupCounts = { waited: 0, woken: 0, timedOut: 0 };
  private readonly options: WakeupsOptions;
  private readonly notes = new DeviceNotes();
  /** Waits by AOR. */
  private readonly waits = new Map<string, Wait>();
  /** By device: until then it is not woken again. */
  private readonly onTheirWay = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: WakeupsOptions) {
    this.options = options;
  }

  /** Lookups that wait now. */
  get waiting(): number {
    return this.waits.size;
  }

  /** Resolves when the devices of the AOR have woken, or their time is over. */
  wake(key: Uint32Array, devices: readonly PushDevice[]): Promise<void> {
    const now = Date.now();
    const name = key.join();
    const wait = this.waits.get(name) ?? this.newWait(key, now);
    for (const device of devices) this.wakeDevice(device, wait, now);
    if (wait.devices.size === 0) return Promise.resolve();
    this.counts.waited++;
    this.waits.set(name, wait);
    const failed = (error: Error) =>
      this.options.log('error', 'devices cannot be looked for', { error: error.message });
    this.timer ??= every(LOOK_MS, () => this.look(), failed);
    return wait.over;
  }

  close(): void {
    clearInterval(this.timer);
    for (const { end } of this.waits.values()) end();
    this.waits.clear();
  }

  private newWait(key: Uint32Array, now: number): Wait {
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    return { key: key.slice(), devices: new Set(), until: now + this.options.waitMs, over, end };
  }

  private wakeDevice(device: PushDevice, wait: Wait, now: number): void {
    const name = deviceKey(device);
    if (this.notes.isGone(name, now)) return;
    if (this.notes.isWorthAWait(name)) wait.devices.add(name);
    if ((this.onTheirWay.get(name) ?? 0) > now) return;
    const until = now + this.options.waitMs;
    this.onTheirWay.set(name, until);
    void this.options.send({ device, reason: 'call', until }).then((outcome) => {
      if (outcome === 'gone') this.notes.gone(name, Date.now());
      if (outcome !== 'sent') this.giveUp(name);
    });
  }

  /** No push has left to the device: lookups need not wait for it. */
  private giveUp(device: string): void {
    this.onTheirWay.delete(device);
    for (const wait of this.waits.values()) {
      wait.devices.delete(device);
      if (wait.devices.size === 0) this.end(wait);
    }
  }

  private look(): void {
    const now = Date.now();
    for (const wait of this.waits.values()) {
      const awake = this.options.awake(wait.key);
      for (const device of wait.devices) {
        if (awake.has(device)) this.woke(device, wait);
        else if (now >= wait.until) this.counts.timedOut++;
      }
      if (wait.devices.size > 0 && now < wait.until) continue;
      for (const device of wait.devices) this.notes.inVain(device);
      this.end(wait);
    }
    for (const [device, until] of this.onTheirWay) if (until <= now) this.onTheirWay.delete(device);
    if (this.waits.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private woke(device: string, wait: Wait): void {
    this.counts.woken++;
    this.notes.woke(device);
    this.onTheirWay.delete(device);
    wait.devices.delete(device);
  }

  private end(wait: Wait): void {
    this.waits.delete(wait.key.join());
    wait.end();
  }
}
