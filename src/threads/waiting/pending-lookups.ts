// Lookups that wait for devices to wake. A shard hands them to the main thread, which keeps them until the devices have registered or their
// time is over. Then it puts them into the shard's ring again. Bounded; rare, so plain code.

import type { PushDevice } from '../../core/binding/push-device.ts';
import type { WakeDevices } from '../../shard/sleepers.ts';
import { slab, slotStart } from '../../sip/parser/slab.ts';
import type { Peers } from '../../sip/sources.ts';
import { rowOf } from './pending-credentials.ts';

/** Lookups that may wait, by shard; further ones are answered at once. */
const WAITING_MAX = 4096;

export interface WaitingLookup {
  /** Key of the AOR: four words. */
  readonly key: Uint32Array;
  readonly devices: readonly PushDevice[];
  readonly bytes: Uint8Array;
  /** One row: the lookup's source. */
  readonly peers: Peers;
}

/**
 * A shard's side of waiting lookups.
 * @param memory like that for credentials, but its own
 * @param peers of the slots
 */
export function holdLookups(
  memory: SharedArrayBuffer,
  tell: (lookup: WaitingLookup) => void,
  peers: () => Peers,
): WakeDevices {
  const count = new Int32Array(memory);
  return (slot, length, key, devices) => {
    if (Atomics.load(count, 0) >= WAITING_MAX) return false;
    Atomics.add(count, 0, 1);
    const bytes = slab.slice(slotStart(slot), slotStart(slot) + length);
    tell({ key: key.slice(), devices, bytes, peers: rowOf(peers(), slot) });
    return true;
  };
}
