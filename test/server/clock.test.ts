// The time that bindings live by, whatever is done to the machine's clock: while a server runs, and between two starts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocationStore } from '../../src/location/location-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { ClockKeeper } from '../../src/server/process/clock-keeper.ts';
import { SimulatedFiles } from '../support/simulated-files.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

const TRUE_TIME = Date.UTC(2026, 10, 28, 12);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** A machine whose clock is off by `offMs`, and the one server that runs on it; time passes by `pass` alone. */
class Machine {
  offMs = 0;
  /** By reads of the machine's clock to come: how long its thread loses its turn before it, and behind it. */
  stalls: (readonly [before: number, behind: number])[] = [];
  readonly said: string[] = [];
  readonly disk = new SimulatedFiles();
  private passedMs = 0;
  private server: { readonly keeper: ClockKeeper; readonly shard: VirtualShard } | undefined;
  private readonly openStore: (now: number) => LocationStore;
  private bootedMs = 0;

  constructor(openStore: (now: number) => LocationStore) {
    this.openStore = openStore;
  }

  start(): void {
    const keeper = new ClockKeeper({
      directory: '/data',
      log: (_, event) => this.said.push(event),
      wall: () => this.wall(),
      monotonic: () => this.passedMs - this.bootedMs + 1000,
      calls: this.disk,
    });
    const store = this.openStore(keeper.clock.now());
    this.server = { keeper, shard: new VirtualShard({ store, now: keeper.clock.now(), clock: keeper.clock }) };
  }

  private wall(): number {
    const [before, behind] = this.stalls.shift() ?? [0, 0];
    this.passedMs += before;
    const read = TRUE_TIME + this.passedMs + this.offMs;
    this.passedMs += behind;
    return read;
  }

  /** How far off the time of bindings is. */
  get differs(): number {
    return this.running.keeper.clock.now() - (TRUE_TIME + this.passedMs);
  }

  /** @param orderly false: as kill -9 */
  stop(orderly = true): void {
    if (orderly) this.running.keeper.close();
    this.running.shard.store.close();
    this.server = undefined;
  }

  end(): void {
    if (this.server !== undefined) this.stop();
  }

  reboot(): void {
    this.bootedMs = this.passedMs;
  }

  pass(seconds: number): void {
    for (let s = 0; s < seconds; s++) {
      this.passedMs += 1000;
      if (this.server === undefined) continue;
      this.server.keeper.look();
      this.server.shard.now = this.server.keeper.clock.now();
      for (let turns = 0; turns < 3; turns++) this.server.shard.batch([]);
    }
  }

  register(name: string, expires: number): void {
    const to = `<sip:${name}@example.com>`;
    const answer = this.running.shard.send(
      register({ to, callId: name, expires, contacts: [`<sip:${name}@192.0.2.1>`] }),
    );
    expect(answer?.status).toBe(200);
  }

  /** Seconds that a binding has left; undefined where there is none. */
  left(name: string): number | undefined {
    const { shard } = this.running;
    const answer = shard.send(register({ to: `<sip:${name}@example.com>`, callId: `f${Math.random()}` }));
    return answer?.contacts[0]?.expires;
  }

  /** Bindings kept, whether they have run out or not. */
  get jumpS(): number {
    return this.running.keeper.jumpS;
  }

  get kept(): number {
    return this.running.shard.store.bindings;
  }

  private get running(): { readonly keeper: ClockKeeper; readonly shard: VirtualShard } {
    if (this.server === undefined) throw new Error('no server runs');
    return this.server;
  }
}

const base = mkdtempSync(join(tmpdir(), 'aorta-clock-'));
let machine: Machine;
let count = 0;

beforeEach(() => {
  const directory = join(base, String(count++));
  machine = new Machine((now) => openLogStore(directory, 'process', { now }));
  machine.start();
});
afterEach(() => machine.end());
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('while a server runs', () => {
  it.each([-30 * DAY, -YEAR, -2 * HOUR, 600_000, 2 * HOUR, YEAR])(
    'R3261-10.3-39 a clock set by %i ms takes no time from a binding and gives it none, for a moment or for good',
    (jump) => {
      machine.register('alice', 3600);
      machine.offMs = jump;
      machine.pass(60);
      expect(machine.left('alice')).toBeGreaterThan(3535);
      expect(machine.left('alice')).toBeLessThan(3545);
      machine.register('bob', 600);
      expect(machine.left('bob')).toBe(600);
      machine.offMs = 0;
      machine.pass(60);
      expect(Math.abs(Number(machine.left('alice')) - 3480)).toBeLessThan(5);
      machine.offMs = jump;
      machine.pass(480 - 10);
      expect(Math.abs(Number(machine.left('bob')) - 70)).toBeLessThan(6);
      machine.pass(90);
      expect([machine.left('bob'), machine.kept], 'it ends when it was granted to').toEqual([undefined, 1]);
      machine.pass(3000);
      expect(machine.kept).toBe(0);
    },
  );

  it('a jump beyond an hour is logged once, and once more when it is over', () => {
    const jumped = "the machine's clock jumped: bindings go on by the time that has passed";
    machine.offMs = 1_800_000;
    machine.pass(30);
    expect(machine.said).toEqual([]);
    machine.offMs = 2 * HOUR;
    machine.pass(30);
    expect(machine.said).toEqual([jumped]);
    machine.offMs = -2 * HOUR;
    machine.pass(30);
    expect(machine.said).toEqual([jumped, jumped]);
    expect(machine.jumpS, 'for the metric').toBeCloseTo(-7200, -2);
    machine.offMs = 0;
    machine.pass(30);
    expect(machine.jumpS).toBe(0);
    expect(machine.said).toEqual([jumped, jumped, "the machine's clock is right again"]);
  });

  it('a clock that NTP moves by seconds is followed, by at most a hundredth', () => {
    machine.register('alice', 3600);
    machine.offMs = 10_000;
    machine.pass(500);
    expect(machine.left('alice')).toBe(3095);
    machine.pass(1500);
    expect(machine.left('alice')).toBe(1590);
  });
});

describe('from one start to the next', () => {
  it.each([true, false])('a stop takes its time, orderly: %s', (orderly) => {
    machine.register('alice', 3600);
    machine.pass(100);
    machine.stop(orderly);
    machine.pass(600);
    machine.reboot();
    machine.start();
    expect(machine.left('alice')).toBe(2900);
  });

  it.each([-YEAR, -2 * HOUR, -DAY])('a clock that lost %i ms gives no binding more than it had', (lost) => {
    machine.register('alice', 3600);
    machine.pass(300);
    machine.stop(false);
    machine.offMs = lost;
    machine.reboot();
    machine.start();
    machine.register('bob', 3600);
    expect(machine.left('alice')).toBeGreaterThan(3200);
    expect(machine.left('alice')).toBeLessThanOrEqual(3300);
    machine.pass(30);
    machine.offMs = 0; // NTP, at last
    machine.pass(30);
    machine.stop();
    machine.start();
    expect(machine.left('alice')).toBeGreaterThan(3100);
    expect(machine.left('bob')).toBeGreaterThan(3500);
  });

  it('a clock that is far ahead removes nothing until it was looked at twice, and nothing at all where it is set right', () => {
    machine.register('alice', 3600);
    machine.stop();
    machine.offMs = YEAR;
    machine.start();
    expect(machine.said).toEqual([expect.stringContaining('stay for a second look')]);
    machine.register('bob', 1800);
    machine.pass(300);
    expect(machine.kept).toBe(2);
    machine.offMs = 0;
    machine.pass(2);
    expect(machine.left('alice')).toBeGreaterThan(3200);
    expect(machine.left('bob')).toBeLessThanOrEqual(1800);
    machine.pass(1790);
    expect(machine.left('bob')).toBe(9);
    machine.pass(30);
    expect(machine.left('bob'), 'granted under the wrong clock, and ended in time').toBeUndefined();
    expect(machine.left('alice')).toBeGreaterThan(1400);
  });

  it('a start with the clock far ahead, ended before the second look, has done no harm', () => {
    machine.register('alice', 3600);
    machine.stop();
    machine.offMs = YEAR;
    machine.start();
    machine.register('bob', 600);
    machine.pass(60);
    machine.stop();
    machine.offMs = 0;
    machine.start();
    expect(machine.left('alice')).toBeGreaterThan(3500);
    expect(machine.left('bob'), 'no more than was granted').toBeLessThanOrEqual(600);
    machine.pass(620);
    expect(machine.left('bob')).toBeUndefined();
  });

  it('a stop that was as long as it seems removes what ran out ten minutes later', () => {
    machine.register('alice', 3600);
    machine.register('bob', 7200);
    machine.stop();
    machine.pass(5400);
    machine.start();
    expect([machine.left('alice'), machine.left('bob'), machine.kept]).toEqual([undefined, 1800, 2]);
    machine.register('carol', 3600);
    machine.pass(590);
    expect(machine.kept).toBe(3);
    machine.pass(20);
    expect(machine.kept).toBe(2);
    expect(machine.left('carol')).toBe(2990);
  });

  it.each([0, 1, 2].flatMap((reads) => [[reads, [7, 0]] as const, [reads, [0, 7]] as const]))(
    'a thread that loses its turn at read %i of the clock, by %o ms, moves no time',
    (reads, stall) => {
      machine.stop(false);
      machine.disk.remove('/data/clock');
      machine.disk.remove('/data/clock.copy');
      machine.stalls = [...Array.from({ length: reads }, () => [0, 0] as const), stall];
      machine.start();
      expect(machine.stalls, 'the read was there').toEqual([]);
      expect(machine.differs).toBe(0);
      machine.stop(false);
      machine.start();
      expect(machine.differs, 'as it was written down').toBe(0);
    },
  );

  it('a directory of before, without a word of the time, is believed but for what exceeds the grant', () => {
    machine.register('alice', 3600);
    machine.stop();
    for (const name of ['/data/clock', '/data/clock.copy']) machine.disk.remove(name);
    machine.offMs = -30 * DAY;
    machine.start();
    expect(machine.left('alice')).toBe(3600);
  });

  it('a disk that cannot be written to stops no clock', () => {
    machine.disk.fault = () => 'ENOSPC';
    machine.register('alice', 3600);
    machine.pass(120);
    machine.stop();
    machine.start();
    machine.pass(120);
    expect(machine.left('alice')).toBe(3360);
    expect(machine.said).toEqual(['the time cannot be written down', 'the time cannot be written down']);
  });
});
