// What waits at shards that cannot keep up, and whom storm control may put off then: new phones, so many of them, and nobody once nothing
// waits.

import type { Backlog } from '../../../src/shard/batch.ts';

export const TARGET_MS = 250;
const RETRY_AFTER_MAX_S = 300;
/** As core/abuse/overload.ts promises: a backlog that lasts longer than this part of the target is a storm, over after so many targets. */
const BURST = 0.4;
const CALM_TARGETS = 4;
/** The wait, in targets, that presses fully; all are let in up to half of it, and one of five behind. */
const FULL = 0.4;
const SHARE_MIN = 0.2;

interface Pressed {
  /** Since when something has always waited; 0: nothing does. */
  since: number;
  stormUntil: number;
  /** Part of new ones that are let in. */
  share: number;
  /** Since the share changed: new ones let in, those that were perhaps known among them, and those put off. */
  surely: number;
  perhaps: number;
  putOff: number;
}

export class Storms {
  /** What waits behind each batch, ms. */
  waitMs = 0;
  readonly backlog: Backlog = { fill: 0, waitMs: () => this.waitMs };
  private ms = 0;
  private readonly byShard = new Map<number, Pressed>();
  private readonly fail: (what: string) => never;

  constructor(fail: (what: string) => never) {
    this.fail = fail;
  }

  /** The time of a shard's work, which goes on where somebody waits. */
  elapsed(): number {
    if (this.waitMs > 0) this.ms += 2;
    return this.ms;
  }

  /** The shard has started. */
  forget(shard: number): void {
    this.byShard.delete(shard);
  }

  /** A batch of the shard is over. */
  behind(shard: number, now: number): void {
    const state = this.of(shard);
    const { waitMs } = this;
    if (waitMs === 0) state.since = 0;
    else if (state.since === 0) state.since = now;
    if (state.since !== 0 && now - state.since > TARGET_MS * BURST) state.stormUntil = now + TARGET_MS * CALM_TARGETS;
    const pressure = waitMs / (TARGET_MS * FULL);
    const share = now < state.stormUntil ? Math.min(1, Math.max(SHARE_MIN, 2 * (1 - pressure))) : 1;
    if (share !== state.share) Object.assign(state, { share, surely: 0, perhaps: 0, putOff: 0 });
  }

  isPuttingOff(shard: number): boolean {
    return this.of(shard).share < 1;
  }

  /** A batch has failed: nobody knows whom its 503s are by. */
  lost(shard: number): void {
    Object.assign(this.of(shard), { surely: 0, perhaps: 0, putOff: 0 });
  }

  /** A new one was put off. @param isNew surely: the store has nothing of its AOR */
  hasPutOff(shard: number, text: string): void {
    const seconds = Number(/^Retry-After: (\d+)\r$/m.exec(text)?.[1]);
    if (!(seconds >= 1 && seconds <= RETRY_AFTER_MAX_S)) this.fail(`put off until nobody knows when:\n${text}`);
    const state = this.of(shard);
    state.putOff++;
    const { perhaps, putOff, share } = state;
    if (putOff > (1 - share) * (perhaps + putOff) + 1) this.fail(`${putOff} put off, ${perhaps} let in of ${share}`);
  }

  hasLetIn(shard: number, isSurelyNew: boolean): void {
    const state = this.of(shard);
    state.perhaps++;
    if (isSurelyNew) state.surely++;
    const { surely, putOff, share } = state;
    if (surely > share * (surely + putOff) + 1) this.fail(`${surely} let in, ${putOff} put off of ${share}`);
  }

  private of(shard: number): Pressed {
    let state = this.byShard.get(shard);
    if (state === undefined) {
      state = { since: 0, stormUntil: 0, share: 1, surely: 0, perhaps: 0, putOff: 0 };
      this.byShard.set(shard, state);
    }
    return state;
  }
}
