// The devices of an AOR that sleep, and those that are awake: lookups by SIP, HTTP and programs wake and wait for them (RFC 8599 §5.6.2).

import { hasFlag, imageLength } from '../binding/binding.ts';
import { IMAGE_PUSH } from '../binding/image-layout.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import { deviceOf, type PushDevice } from '../binding/push-device.ts';
import { isAsleep } from '../binding/sleep.ts';
import { isTarget } from '../binding/target.ts';
import type { TargetFilter } from './targets.ts';

const NONE: readonly PushDevice[] = Object.freeze([]);

/** A key that identifies a device. */
export function deviceKey({ provider, param, prid }: PushDevice): string {
  return `${provider} ${param} ${prid}`;
}

/**
 * Devices of the images in bytes[at, end) that only a push reaches: each once.
 * @param dormantMs as mayBeAsleep's
 */
export function sleepingDevices(
  bytes: Uint8Array,
  at: number,
  end: number,
  now: number,
  dormantMs: number,
  flows: FlowLiveness | null,
  asked: TargetFilter | null,
): readonly PushDevice[] {
  let found: Map<string, PushDevice> | null = null;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    if (!isAsleep(bytes, image, now, dormantMs, flows) || asked?.skips(bytes, image)) continue;
    const device = deviceOf(bytes, image);
    if (device === null) continue;
    found ??= new Map();
    found.set(deviceKey(device), device);
  }
  if (found === null) return NONE;
  for (const device of awakeDevices(bytes, at, end, now, flows)) found.delete(device);
  return [...found.values()];
}

/** Keys of the devices that can be reached now. */
export function awakeDevices(
  bytes: Uint8Array,
  at: number,
  end: number,
  now: number,
  flows: FlowLiveness | null,
): ReadonlySet<string> {
  const awake = new Set<string>();
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    if (!hasFlag(bytes, image, IMAGE_PUSH) || !isTarget(bytes, image, now, flows)) continue;
    const device = deviceOf(bytes, image);
    if (device !== null) awake.add(deviceKey(device));
  }
  return awake;
}
