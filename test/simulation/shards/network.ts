// A network as UDP has it: datagrams are lost, doubled, delayed, and overtake each other.

import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** Longest time a copy of a datagram is under way. Phones may rely on it when they wait for old copies to be gone. */
export const DELAY_MS_MAX = 5000;

export class Network {
  lost = 0;
  doubled = 0;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private rough = true;

  constructor(timeline: Timeline, random: Random) {
    this.timeline = timeline;
    this.random = random;
  }

  /** From now on everything arrives, once. */
  calm(): void {
    this.rough = false;
  }

  carry(deliver: () => void): void {
    const { random } = this;
    if (this.rough && random.chance(0.12)) {
      this.lost++;
      return;
    }
    this.timeline.after(this.delay(), deliver);
    if (!this.rough || !random.chance(0.08)) return;
    this.doubled++;
    this.timeline.after(this.delay(), deliver);
  }

  private delay(): number {
    const { random } = this;
    if (this.rough && random.chance(0.03)) return random.between(500, DELAY_MS_MAX);
    return random.between(1, 120);
  }
}
