// Keeps the time that bindings live by (shard/process-clock) close to the machine's clock, which people, NTP and empty batteries set: its
// beginning, its pace, and its log lines (decisions/0101). A file of the data directory has the last known time.

import { join } from 'node:path';
import * as z from 'zod';
import { type FileCalls, nodeFiles } from '../../location/files/file-calls.ts';
import { SmallFile } from '../../location/files/small-file.ts';
import { createClockMemory, ProcessClock } from '../../shard/process-clock.ts';
import { every } from '../../transport/every.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import type { Log } from './log.ts';

const CLOCK_FILE = 'clock';
/** A machine's clock that is further off than this was set, or is wrong; bindings that expired during a longer stop get a second look. */
const JUMP_MS = 3_600_000;
/**
 * Time for which no expired binding is removed after a start whose clock is far ahead of the last known time; it begins again with each
 * jump.
 */
const SECOND_LOOK_MS = 600_000;
/** Its greatest correction per time towards the machine's clock: an hour of a binding is never 37 seconds longer or shorter. */
const FOLLOW = 0.01;
const LOOK_MS = 1000;
const WRITE_MS = 60_000;
/** Both clocks are read within so long, or again: a thread suspended between the readings would see them apart. */
const TOGETHER_MS = 1;
const READS_MAX = 20;
/** The machine's clock has whole milliseconds; it is exact at a step, which so many reads see. */
const TICK_READS_MAX = 20_000;

const Mark = z.strictObject({ time: z.number().int(), wall: z.number().int() });
/** Time of bindings and of the machine, as last read together. */
type Mark = z.infer<typeof Mark>;

export interface ClockKeeperOptions {
  /** Undefined where all bindings are in memory. */
  readonly directory: string | undefined;
  readonly log: Log;
  /** The machine's clock, epoch ms. */
  readonly wall?: () => number;
  readonly monotonic?: () => number;
  readonly calls?: FileCalls;
}

export class ClockKeeper {
  readonly memory = createClockMemory();
  readonly clock: ProcessClock;
  private readonly log: Log;
  private readonly wall: () => number;
  private readonly monotonic: () => number;
  private readonly file: SmallFile<Mark> | undefined;
  private readonly timer: NodeJS.Timeout;
  private mark: Mark | undefined;
  private holding = false;
  private heldUntil = 0;
  private lookedAt: number;
  private writtenAt = Number.NEGATIVE_INFINITY;
  /** Deviation of the machine's clock when it was last logged; 0: it is right. */
  private toldMs = 0;
  private cannotWrite = false;

  constructor({ directory, log, wall = Date.now, monotonic = monotonicMs, calls = nodeFiles }: ClockKeeperOptions) {
    this.log = log;
    this.wall = wall;
    this.monotonic = monotonic;
    this.clock = new ProcessClock(this.memory, monotonic);
    if (directory !== undefined)
      this.file = new SmallFile(join(directory, CLOCK_FILE), { check: (content) => Mark.parse(content), calls });
    this.mark = this.read();
    this.lookedAt = monotonic();
    this.begin();
    this.look();
    this.timer = every(
      LOOK_MS,
      () => this.look(),
      (error) => log('error', 'the clock is not looked at', { error: error.message }),
    );
  }

  /** Runs once a second. */
  look(): void {
    const { clock } = this;
    const now = this.monotonic();
    const passedMs = Math.min(Math.max(0, now - this.lookedAt), 10 * LOOK_MS);
    this.lookedAt = now;
    let offMs = this.offMs();
    if (this.holding && offMs < -JUMP_MS) {
      this.begin(); // the machine's clock was wrong, and was set
      offMs = this.offMs();
    }
    clock.move(Math.max(-FOLLOW * passedMs, Math.min(FOLLOW * passedMs, offMs)));
    this.tell(offMs);
    if (this.holding && now >= this.heldUntil) this.release();
    if (!this.holding && now - this.writtenAt >= WRITE_MS) this.write(false);
  }

  /** Writes the times at an orderly end. */
  close(): void {
    clearInterval(this.timer);
    if (!this.holding) this.write(true);
  }

  /** Seconds by which the machine's clock has jumped ahead of the time of bindings, or back; 0 where it is right. */
  get jumpS(): number {
    return this.toldMs / 1000;
  }

  /** Begins the time: it continues from the last known time where the machine's clock agrees, else at a time harmless to bindings. */
  private begin(): void {
    const { clock, mark, log } = this;
    const machine = this.machineExactly();
    const at = this.monotonic();
    const wall = machine + at;
    const again = this.holding;
    this.release();
    let time = wall;
    if (mark !== undefined) {
      const sinceMs = wall - mark.wall;
      const aheadMs = wall - mark.time;
      if (sinceMs >= 0 && sinceMs <= JUMP_MS) time = mark.time + sinceMs;
      else if (aheadMs < 0)
        time = mark.time + WRITE_MS; // at most so long has passed since it was written
      else if (aheadMs > JUMP_MS) {
        this.hold();
        log('warn', 'the clock is far ahead of what was seen last: bindings that ran out stay for a second look', {
          ahead_s: Math.round(aheadMs / 1000),
          look_s: SECOND_LOOK_MS / 1000,
        });
      }
    }
    if (again) clock.setBack(time, at);
    else clock.set(time, at);
  }

  /** The machine's clock at the monotonic clock's zero, epoch ms. */
  private machine(): number {
    let anchor = 0;
    for (let reads = 0; reads < READS_MAX; reads++) {
      const before = this.monotonic();
      anchor = this.wall() - before;
      if (this.monotonic() - before < TOGETHER_MS) break;
    }
    return anchor;
  }

  /** The same to less than a millisecond, at the cost of a millisecond. */
  private machineExactly(): number {
    const first = this.wall();
    let anchor = Number.NEGATIVE_INFINITY;
    for (let reads = 0; reads < TICK_READS_MAX; reads++) {
      const ticked = this.wall() !== first;
      anchor = Math.max(anchor, this.machine());
      if (ticked) break;
    }
    return anchor;
  }

  /** How far ahead the machine's clock is; 0 where that is within the error of the reading. */
  private offMs(): number {
    const offMs = this.machine() - this.clock.anchor;
    return Math.abs(offMs) < TOGETHER_MS ? 0 : offMs;
  }

  private hold(): void {
    this.holding = true;
    this.heldUntil = this.monotonic() + SECOND_LOOK_MS;
    this.clock.hold(SECOND_LOOK_MS);
  }

  private release(): void {
    this.holding = false;
    this.clock.hold(0);
  }

  private tell(offMs: number): void {
    const isOff = Math.abs(offMs) > JUMP_MS;
    if (!isOff && this.toldMs === 0) return;
    if (isOff && Math.abs(offMs - this.toldMs) <= JUMP_MS) return;
    if (isOff)
      this.log('warn', "the machine's clock jumped: bindings go on by the time that has passed", {
        ahead_s: Math.round(offMs / 1000),
        machine: new Date(this.wall()).toISOString(),
        bindings: new Date(this.clock.now()).toISOString(),
      });
    else this.log('info', "the machine's clock is right again");
    this.toldMs = isOff ? offMs : 0;
    if (this.holding) this.hold();
    else this.write(false);
  }

  private read(): Mark | undefined {
    try {
      return this.file?.read()?.content;
    } catch (error) {
      this.log('error', 'what time it was last is not known', { error: String(error) });
      return undefined;
    }
  }

  /** @param lasting see SmallFile; a disk is too slow to be awaited once a minute */
  private write(lasting: boolean): void {
    this.writtenAt = this.monotonic();
    const time = this.clock.now();
    const mark = { time, wall: time + Math.round(this.offMs()) };
    try {
      if (lasting) this.file?.write(mark);
      else this.file?.note(mark);
      this.mark = mark;
      this.cannotWrite = false;
    } catch (error) {
      if (!this.cannotWrite) this.log('error', 'the time cannot be written down', { error: String(error) });
      this.cannotWrite = true;
    }
  }
}
