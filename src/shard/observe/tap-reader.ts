// The main thread's side of the taps (tap.ts): sets the watched names and takes the copies. Their receiver is the caller's.

import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import { createPeers } from '../../sip/sources.ts';
import { RING_TAP_RECEIVED, Ring } from '../rings/ring.ts';
import {
  TAP_AOR_KEYS,
  TAP_AORS,
  TAP_AORS_MAX,
  TAP_LISTS,
  TAP_ON,
  TAP_PREFIX_AOR,
  TAP_PREFIX_BYTES,
  TAP_PREFIX_LISTS,
  TAP_PREFIX_SOURCE,
  TAP_PREFIX_WHY,
  TAP_SAMPLE,
  TAP_SAMPLE_ALL,
  TAP_SOURCE_IPS,
  TAP_SOURCES,
  TAP_SOURCES_MAX,
  TAP_WHY_NAMED,
  TAP_WHY_SAMPLE,
} from './tap.ts';

/** The watched AORs and sources. */
export interface Watched {
  /** Percent of all AORs, 0 to 100. */
  readonly samplePercent: number;
  /** Keys of AORs, four words each; TAP_AORS_MAX of them at most. */
  readonly aors: readonly Uint32Array[];
  /** Addresses of 16 bytes (IPv4 in the first four); TAP_SOURCES_MAX of them at most. */
  readonly sources: readonly Uint8Array[];
}

/** A copied message; valid until the next one. */
export interface Tapped {
  readonly bytes: Uint8Array;
  /** False: it was sent. */
  readonly isReceived: boolean;
  /** Epoch ms of the batch it was in. */
  readonly time: number;
  readonly shard: number;
  readonly sampled: boolean;
  /** Its AOR or its source was watched by name. */
  readonly named: boolean;
  /** Positions of that AOR and of that source in the watched lists; -1: none. */
  readonly aor: number;
  readonly source: number;
  /** Number of these lists, as `watch` returned it. */
  readonly lists: number;
  /** 4 or 6. */
  readonly family: number;
  /** The peer's, 16 bytes. */
  readonly ip: Uint8Array;
  readonly port: number;
  /** The local address, where the listener is a wildcard; else zeros. */
  readonly local: Uint8Array;
  readonly transport: number;
  readonly listener: number;
}

export class TapReader {
  private readonly control: Int32Array;
  private readonly rings: readonly Ring[];
  private readonly peers = createPeers(1);
  private readonly copy = new Uint8Array(TAP_PREFIX_BYTES + MESSAGE_BYTES_MAX);
  private readonly time = new Float64Array(this.copy.buffer, 0, 1);

  constructor(memory: SharedArrayBuffer, taps: readonly SharedArrayBuffer[]) {
    this.control = new Int32Array(memory);
    this.rings = taps.map((tap) => new Ring(tap));
  }

  /**
   * Takes effect with each shard's next batch. Returns a number for these lists, 0 to 255. Throws a RangeError for too many names.
   */
  watch({ samplePercent, aors, sources }: Watched): number {
    if (aors.length > TAP_AORS_MAX) throw new RangeError(`at most ${TAP_AORS_MAX} AORs can be watched at a time`);
    if (sources.length > TAP_SOURCES_MAX) throw new RangeError(`at most ${TAP_SOURCES_MAX} sources at a time`);
    const { control } = this;
    // A shard that reads in between sees nothing watched, or old or partial names: some needless or missing copies, no harm.
    Atomics.store(control, TAP_ON, 0);
    control[TAP_SAMPLE] = Math.min(2 ** 32 - 1, Math.round((samplePercent / 100) * 2 ** 32));
    control[TAP_SAMPLE_ALL] = samplePercent >= 100 ? 1 : 0;
    for (const [i, key] of aors.entries())
      control.set(new Int32Array(key.buffer, key.byteOffset, 4), TAP_AOR_KEYS + 4 * i);
    for (const [i, ip] of sources.entries()) {
      control.set(new Int32Array(Uint8Array.from(ip).buffer), TAP_SOURCE_IPS + 4 * i);
    }
    const lists = (control[TAP_LISTS] + 1) & 0xff;
    control[TAP_LISTS] = lists;
    control[TAP_AORS] = aors.length;
    control[TAP_SOURCES] = sources.length;
    if (samplePercent > 0 || aors.length + sources.length > 0) Atomics.store(control, TAP_ON, 1);
    return lists;
  }

  /** Passes on the waiting copies, at most `max`; returns how many. */
  drain(handle: (message: Tapped) => void, max: number): number {
    const { copy, peers } = this;
    let taken = 0;
    for (const [shard, ring] of this.rings.entries()) {
      while (taken < max) {
        const length = ring.pop(copy, 0, peers, 0);
        if (length < 0) break;
        taken++;
        const why = copy[TAP_PREFIX_WHY];
        handle({
          bytes: copy.subarray(TAP_PREFIX_BYTES, length),
          isReceived: ring.kind === RING_TAP_RECEIVED,
          time: this.time[0],
          shard,
          sampled: (why & TAP_WHY_SAMPLE) !== 0,
          named: (why & TAP_WHY_NAMED) !== 0,
          aor: copy[TAP_PREFIX_AOR] - 1,
          source: copy[TAP_PREFIX_SOURCE] - 1,
          lists: copy[TAP_PREFIX_LISTS],
          family: peers.family[0],
          ip: peers.ip,
          port: peers.port[0],
          local: peers.local,
          transport: peers.transport[0],
          listener: peers.listener[0],
        });
      }
    }
    return taken;
  }
}
