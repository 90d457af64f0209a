// The bindings of an AOR that a request may be sent to now, and their order: the one rule behind lookups by SIP, HTTP and
// programs. Expired bindings and dead flows are never among them; of one instance only its newest flow is (RFC 5626 §7).
// @hot

import { imageLength, instanceAt, instanceEnd, qOf, refreshedAtOf } from '../binding/binding.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import { isNewer, isOfInstance, isTarget } from '../binding/target.ts';
import { BINDINGS_MAX } from '../register/working-bindings.ts';

export interface TargetFilter {
  /** Whether the lookup leaves out the image at bytes[image]. */
  skips(bytes: Uint8Array, image: number): boolean;
  /** Whether contacts with the same q are ordered by `rank`, the lowest first. */
  readonly ranks: boolean;
  rank(bytes: Uint8Array, image: number): number;
}

export class Targets {
  /** Targets, best first: offsets of images in the given bytes. */
  readonly image = new Int32Array(BINDINGS_MAX);
  count = 0;
  /** Other flows of the same instances, to be tried when a target's flow has failed. */
  readonly fallback = new Int32Array(BINDINGS_MAX);
  fallbacks = 0;

  /**
   * Collects the targets among the images in bytes[at, end) at `now` (epoch ms).
   * @param asked leaves out bindings that a GRUU does not name
   * @param flows null: this process holds no connections
   */
  collect(
    bytes: Uint8Array,
    at: number,
    end: number,
    now: number,
    asked: TargetFilter | null,
    flows: FlowLiveness | null,
  ): void {
    this.count = 0;
    this.fallbacks = 0;
    for (let image = at; image < end; image += imageLength(bytes, image)) {
      if (!isTarget(bytes, image, now, flows)) continue;
      if (asked?.skips(bytes, image)) continue;
      if (this.count === BINDINGS_MAX) return;
      this.insert(bytes, image);
    }
    if (this.count > 1 && asked?.ranks) this.order(bytes, asked);
    if (this.count > 1) this.leaveOneFlowPerInstance(bytes);
  }

  /** By q (RFC 3261 §20.10), then the one refreshed last. */
  private insert(bytes: Uint8Array, image: number): void {
    const { image: list } = this;
    let place = this.count++;
    while (place > 0 && isBefore(bytes, image, list[place - 1])) {
      list[place] = list[place - 1];
      place--;
    }
    list[place] = image;
  }

  /** Moves contacts forward past those with the same q and a higher rank. */
  private order(bytes: Uint8Array, asked: TargetFilter): void {
    const { image: list } = this;
    for (let i = 1; i < this.count; i++) {
      const image = list[i];
      const rank = asked.rank(bytes, image);
      let place = i;
      while (place > 0 && isSlower(bytes, list[place - 1], image, asked, rank)) list[place] = list[--place];
      list[place] = image;
    }
  }

  private leaveOneFlowPerInstance(bytes: Uint8Array): void {
    const { image: list, fallback } = this;
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      const image = list[i];
      if (this.hasNewerFlow(bytes, image)) fallback[this.fallbacks++] = image;
      else list[kept++] = image;
    }
    this.count = kept;
  }

  /** Whether another target, kept or not yet checked, is a newer flow of the same instance. */
  private hasNewerFlow(bytes: Uint8Array, image: number): boolean {
    const at = instanceAt(bytes, image);
    const end = instanceEnd(bytes, image);
    if (end <= at) return false;
    for (let i = 0; i < this.count; i++) {
      const other = this.image[i];
      if (isNewer(bytes, other, image) && isOfInstance(bytes, other, bytes, at, end)) return true;
    }
    return false;
  }
}

function isSlower(bytes: Uint8Array, a: number, b: number, asked: TargetFilter, rank: number): boolean {
  return qOf(bytes, a) === qOf(bytes, b) && asked.rank(bytes, a) > rank;
}

function isBefore(bytes: Uint8Array, a: number, b: number): boolean {
  const q = qOf(bytes, a) - qOf(bytes, b);
  return q !== 0 ? q > 0 : refreshedAtOf(bytes, a) > refreshedAtOf(bytes, b);
}
