// Devices that a push wakes (RFC 8599): which bindings sleep, what lookups wake, and the messages that wait until a device is awake.

import type { PushDevice } from '../../../src/core/binding/push-device.ts';
import type { PushPolicy } from '../../../src/core/uas/push-policy.ts';
import type { Random } from '../shards/random.ts';
import type { Bound, PushRules } from './registrations.ts';

/** The push service that is served. */
export const PROVIDER = 'fcm';
const REFRESH_MARGIN_S = 60;
const SERVICE = { name: PROVIDER, needsParam: false, vapid: '' };

/** A lookup that was handed over, and whom it wakes. */
export interface Waking<M> {
  readonly message: M;
  /** What names them at their service, in order. */
  readonly devices: readonly string[];
  /** It waits; else too many do. */
  readonly waits: boolean;
}

export class Sleepers<M> {
  /** Null: since the last reload no service is served. */
  policy: PushPolicy | null;
  /** Of the batch under way. */
  readonly woken: Waking<M>[] = [];
  /** By shard. */
  private readonly waiting = new Map<number, Waking<M>[]>();
  private readonly random: Random;
  private readonly fail: (what: string) => never;

  constructor(random: Random, fail: (what: string) => never) {
    this.random = random;
    this.fail = fail;
    this.policy = this.draw(7200);
  }

  /** No reload has bindings sleep for longer: what a sweep has taken may come back with a cut of power. */
  reload(): void {
    const { policy, random } = this;
    this.policy = policy === null || random.chance(0.05) ? null : this.draw(policy.dormantS);
  }

  /** From now on it takes everybody; a reload says so. */
  open(): void {
    this.policy = this.policy && { ...this.policy, refreshS: 0 };
  }

  private draw(dormantMaxS: number): PushPolicy {
    const { random } = this;
    const dormantS = Math.min(dormantMaxS, random.pick([0, 600, 7200, 7200]));
    return { services: [SERVICE], refreshS: random.pick([0, 0, 30, 900]), dormantS, refusesOthers: false };
  }

  get rules(): PushRules | null {
    const { policy } = this;
    return policy && { shortestS: policy.refreshS === 0 ? 0 : policy.refreshS + REFRESH_MARGIN_S };
  }

  /** When a binding that sleeps goes. */
  endOf({ expiresAt }: Bound): number {
    return expiresAt + 1000 * (this.policy?.dormantS ?? 0);
  }

  /** Whether a binding that is no target is kept for a push, or since it was. */
  keeps(one: Bound, now: number): boolean {
    const mayWake = this.policy !== null && one.device !== '';
    return (mayWake || one.isAsleep) && now < this.endOf(one);
  }

  /** Devices that a lookup wakes: each once, and none that can be reached. @param asked of them, those that are asked for */
  devicesOf(asked: readonly Bound[], all: readonly Bound[]): string[] {
    if (this.policy === null) return [];
    const awake = all.filter(({ isAsleep }) => !isAsleep).map(({ device }) => device);
    const asleep = asked.filter(({ isAsleep }) => isAsleep).map(({ device }) => device);
    return [...new Set(asleep)].filter((device) => !awake.includes(device)).sort();
  }

  /** An AOR that a caller asks for, since something of it sleeps: first where its device is awake otherwise. @param aors bindings of each */
  drawAsleep(aors: readonly (readonly Bound[])[]): number | null {
    const { random } = this;
    if (random.chance(0.5)) return null;
    const numbers = [...aors.keys()].filter((n) => aors[n].some(({ isAsleep }) => isAsleep));
    const halfAwake = numbers.filter((n) => this.devicesOf(aors[n], aors[n]).length === 0);
    const asked = halfAwake.length > 0 ? halfAwake : numbers;
    return asked.length === 0 ? null : random.pick(asked);
  }

  beginBatch(): void {
    this.woken.length = 0;
  }

  /** A shard hands a lookup over; false: too many wait. */
  wake(shard: number, message: M, found: readonly PushDevice[]): boolean {
    const devices = found.map(({ provider, prid }) => `${provider} ${prid}`).sort();
    if (this.woken.some((one) => one.message === message)) this.fail(`a lookup wakes ${devices.join()} twice`);
    const waking = { message, devices, waits: this.random.chance(0.9) };
    this.woken.push(waking);
    if (waking.waits) this.waiting.set(shard, [...(this.waiting.get(shard) ?? []), waking]);
    return waking.waits;
  }

  /** A shard has ended: what waited is lost with it. */
  forget(shard: number): void {
    this.waiting.delete(shard);
  }

  /** Nothing waits any more: other rules, or another time. */
  forgetAll(): void {
    this.waiting.clear();
  }

  /** Who waits at a shard comes back now. */
  take(shard: number): readonly Waking<M>[] {
    const taken = this.waiting.get(shard) ?? [];
    this.waiting.delete(shard);
    return taken;
  }
}
