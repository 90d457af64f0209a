// kill -9 again and again at seeded random moments: during the start, under load, while data moves to another number of
// shards. After every kill all that was acknowledged must be there, nothing that was removed, nothing too early or too long.

import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { Aorta, temporaryDirectory } from '../support/aorta-process.ts';
import { pause } from '../support/child-process.ts';
import { fetchAll, keeps, Load, possible } from '../support/load.ts';
import { KilledCommands } from './killed-commands.ts';

export interface KillRunOptions {
  readonly seed: number;
  readonly kills: number;
  readonly aors: number;
  /** Numbers of shards to start with, in any order: more than one lets starts re-shard. */
  readonly shards: readonly number[];
  /** Further flags of `aorta serve`. */
  readonly flags?: readonly string[];
  readonly udp?: 'auto' | 'dgram';
  /** The longest life under load, in ms after `ready`. */
  readonly lifeMs?: number;
  /** Of kills, the share that comes before `ready`. */
  readonly duringStart?: number;
  readonly progress?: (line: string) => void;
}

export interface KillReport {
  kills: number;
  /** Before the server was ready. */
  duringStart: number;
  /** By what the kill interrupted. */
  readonly interrupted: Record<string, number>;
  acknowledged: number;
  /** Fetches compared with what had been promised. */
  checked: number;
  resharded: number;
}

/** Of the lives under load, those with a command beside the server, which is killed first, within so many ms. */
const BESIDE = 0.25;
const COMMAND_MS = 500;

/** Intervals of one hour and more, of a few seconds, and removals. */
function intervals(random: () => number): (round: number) => number {
  return (round) => {
    const kind = random();
    if (round > 0 && kind < 0.2) return 0;
    return kind < 0.35 ? 2 + Math.floor(random() * 3) : 600 + Math.floor(random() * 6000);
  };
}

/** Throws at the first binding that is lost, resurrected, early or late, naming the seed. */
export async function killRun(options: KillRunOptions): Promise<KillReport> {
  const run = await KillRun.prepare(options);
  try {
    return await run.go();
  } finally {
    await run.end();
  }
}

class KillRun {
  private readonly report: KillReport = {
    kills: 0,
    duringStart: 0,
    interrupted: {},
    acknowledged: 0,
    checked: 0,
    resharded: 0,
  };
  private readonly options: KillRunOptions;
  private readonly random: () => number;
  private readonly load: Load;
  private readonly commands = new KilledCommands();
  private aorta: Aorta;
  private killedAt = 0;
  /** What a start took last: a kill before `ready` comes within it. */
  private startMs = 500;
  private shards: number;

  private constructor(options: KillRunOptions, aorta: Aorta) {
    const { seed, aors, shards } = options;
    this.options = options;
    this.random = seeded(seed);
    this.aorta = aorta;
    this.shards = shards[0];
    // Of its own: how many messages a life sees differs from run to run, when the kills come must not.
    const interval = intervals(seeded(seed ^ 0x5eed));
    this.load = new Load({ port: aorta.port, aors, window: 64, rounds: Number.MAX_SAFE_INTEGER, interval });
  }

  static async prepare(options: KillRunOptions): Promise<KillRun> {
    const run = new KillRun(options, await launch(options, options.shards[0]));
    await run.load.open();
    return run;
  }

  async go(): Promise<KillReport> {
    const { options, random, report } = this;
    while (report.kills < options.kills) {
      if (random() < (options.duringStart ?? 0.3)) await this.killDuringStart();
      else await this.killUnderLoad();
      report.kills++;
      for (const what of interruptedIn(this.aorta.data)) report.interrupted[what] = (report.interrupted[what] ?? 0) + 1;
      await this.restart();
    }
    await this.check();
    await this.commands.check(this.aorta.data);
    await this.aorta.stop();
    Object.assign(report.interrupted, this.commands.interrupted);
    return { ...report, acknowledged: this.load.acknowledged };
  }

  async end(): Promise<void> {
    this.load.close();
    if (this.aorta.alive) await this.aorta.kill9();
  }

  private async killDuringStart(): Promise<void> {
    await Promise.race([pause(this.random() * this.startMs), this.aorta.child.exited]);
    this.report.duringStart++;
    await this.aorta.kill9();
  }

  private async killUnderLoad(): Promise<void> {
    await this.check();
    const ended = this.load.start();
    const { random, commands } = this;
    const life = random() * (this.options.lifeMs ?? 400);
    const beside = random();
    if (beside < BESIDE) {
      commands.start(beside / BESIDE, this.aorta.data);
      await pause(random() * COMMAND_MS);
      await commands.kill();
    }
    await pause(life);
    await this.aorta.kill9();
    this.killedAt = Date.now();
    this.load.stop();
    await ended;
    if (this.load.refused.length > 0) throw new Error(`refused, seed ${this.options.seed}:\n${this.load.refused[0]}`);
  }

  private async restart(): Promise<void> {
    const { shards } = this.options;
    const next = shards[Math.floor(this.random() * shards.length)];
    if (next !== this.shards) this.report.resharded++;
    this.shards = next;
    this.aorta = await launch(this.options, next, this.aorta);
  }

  /** Waits until it serves, compares every AOR with what was promised, and settles what was unanswered. */
  private async check(): Promise<void> {
    const { load, report, killedAt, options } = this;
    const began = Date.now();
    await this.aorta.child.until(/^ready/m, 20_000);
    this.startMs = Date.now() - began;
    const seen = await fetchAll(load, this.aorta);
    for (const [index, line] of load.lines.entries()) {
      const { remaining, askedAt, toldAt } = seen[index];
      const choices = possible(line, killedAt);
      const right = choices.filter((promised) => keeps(promised, remaining, askedAt, toldAt));
      if (right.length === 0) {
        const what = JSON.stringify({ ...line, seen: seen[index], killedAt }, null, 1);
        throw new Error(`wrong after kill ${report.kills} of seed ${options.seed}: ${what}`);
      }
      load.settle(line, right);
      report.checked++;
    }
    options.progress?.(`${report.kills} kills, ${load.acknowledged} acknowledged, ${report.checked} bindings checked`);
  }
}

function launch(options: KillRunOptions, shards: number, before?: Aorta): Promise<Aorta> {
  const { udp } = options;
  const place = before === undefined ? { data: temporaryDirectory() } : { data: before.data, port: before.port };
  return Aorta.launch({ ...place, ...(udp && { udp }), shards, flags: flagsOf(options) });
}

function flagsOf({ flags }: KillRunOptions): string[] {
  return ['--config', smallFiles(), '--min-expires', '1', ...(flags ?? [])];
}

/** So that kills meet checkpoints and the cleaner. */
function smallFiles(): string {
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, 'limits:\n  checkpoint-bytes: 65536\n  generation-bytes: 1M\n');
  return file;
}

/** What a kill has left half done. */
function interruptedIn(data: string): string[] {
  const places = new Set(readdirSync(data).flatMap((name) => /^(bindings-\d+|shard)/.exec(name)?.[0] ?? []));
  const files = readdirSync(data, { recursive: true, encoding: 'utf8' });
  return [
    ...(places.size > 1 ? ['moving to another number of shards'] : []),
    ...(files.some((name) => name.endsWith('checkpoint.new')) ? ['a checkpoint'] : []),
    // What is behind the two that the log may have, the cleaner is at work on.
    ...(mostGenerations(files) > 2 ? ['cleaning the log'] : []),
  ];
}

/** Files of the log of the shard that has most. */
function mostGenerations(files: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const name of files) {
    if (!name.endsWith('.mdb')) continue;
    const log = dirname(name);
    counts.set(log, (counts.get(log) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}
