// Lookups of users whose devices sleep (RFC 8599 §5.6.2). The message is handed to the sender of pushes, and comes back once the devices
// have woken, or after a time limit. Then it is answered from the bindings at that time.

import type { PushDevice } from '../core/binding/push-device.ts';
import { sleepingDevices } from '../core/lookup/sleeping-devices.ts';
import type { TargetFilter } from '../core/lookup/targets.ts';
import type { ExchangeRequest } from '../core/uas/exchange.ts';

/** Takes the message in a slot, a lookup of the AOR of this key; false where too many wait. */
export type WakeDevices = (slot: number, length: number, key: Uint32Array, devices: readonly PushDevice[]) => boolean;

export class Sleepers {
  /** As mayBeAsleep's. */
  dormantMs: number;
  private readonly wake: WakeDevices;
  private batch = 0;
  /** By slot: the number of the last batch in which its message had waited. */
  private readonly backIn: Float64Array;

  constructor(dormantMs: number, slots: number, wake: WakeDevices) {
    this.dormantMs = dormantMs;
    this.wake = wake;
    this.backIn = new Float64Array(slots);
  }

  beginBatch(): void {
    this.batch++;
  }

  /** Notes that the slot's next message, of this batch or of the one that opens next, has waited. */
  hasWaited(slot: number, batchIsOpen: boolean): void {
    this.backIn[slot] = batchIsOpen ? this.batch : this.batch + 1;
  }

  /** Whether the message in the slot has waited before: it was authorized then, and waits no more. */
  isBack(slot: number): boolean {
    return this.backIn[slot] === this.batch;
  }

  /** Wakes the sleeping devices among the images in the request: true where the lookup in the slot waits for them. */
  wakeFor(slot: number, length: number, request: ExchangeRequest, asked: TargetFilter, key: Uint32Array): boolean {
    const devices = this.devicesOf(request, asked);
    return devices.length > 0 && this.wake(slot, length, key, devices);
  }

  /** Whether a device among the images in the request sleeps. */
  has(request: ExchangeRequest, asked: TargetFilter): boolean {
    return this.devicesOf(request, asked).length > 0;
  }

  private devicesOf(request: ExchangeRequest, asked: TargetFilter): readonly PushDevice[] {
    const { state, stateAt, stateEnd, now, liveFlows } = request;
    return sleepingDevices(state, stateAt, stateEnd, now, this.dormantMs, liveFlows, asked);
  }
}
