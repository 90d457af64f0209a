// Power cuts by seed: a run of a subject is recorded; then, for each case, its disk is left as a power cut at some moment might
// have left it, the real code opens it, and what it finds is compared with what had been acknowledged. In half of the cases
// the power is cut a second time, while the first recovery is under way or has gone on working; now and then the first cut is a kill.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../simulation/shards/random.ts';
import type { ChildAnswer } from './child.ts';
import { ChildLink } from './child-link.ts';
import { Disk, type DiskImage, type Lie, writeImage } from './disk.ts';
import { type Content, type Known, type Subject, wrongIn } from './subject.ts';
import type { Operation } from './trace.ts';

/** Cases that share a recording. */
const CASES_PER_RECORDING = 50;
const SECOND_CUT = 0.5;
/** That the process is killed, and the power cut in its next life: what the kernel had not yet written is lost then. */
const KILL = 0.15;
/** That a cut comes where most is at stake: before a sync, or when something has just been acknowledged. */
const AT_STAKE = 0.5;
const FURTHER_STEPS = 4;

export interface PowerCutOptions {
  readonly seed: number;
  readonly subjects: readonly Subject[];
  /** Bundled child.ts, compiled recorder.c. */
  readonly program: string;
  readonly recorder: string;
  /** Syncs that are not made: a failure must be found. */
  readonly lie?: Lie;
  /** Leaves the disks of the cases where they are. */
  readonly keep?: boolean;
  readonly progress?: (line: string) => void;
}

export interface Failure {
  readonly number: number;
  readonly subject: string;
  /** In which of the two recoveries, and what. */
  readonly what: string;
}

export interface PowerCutReport {
  cases: number;
  secondCuts: number;
  recordings: number;
  /** Cuts by subject. */
  readonly bySubject: Record<string, number>;
  readonly failures: Failure[];
}

/** What an opening found, and the number of the first step made then. */
interface Opening {
  readonly content: Content;
  readonly first: number;
}

interface Recording {
  readonly subject: Subject;
  readonly seed: number;
  readonly directory: string;
  readonly operations: readonly Operation[];
  readonly opened: Content;
}

export class PowerCuts {
  readonly report: PowerCutReport = { cases: 0, secondCuts: 0, recordings: 0, bySubject: {}, failures: [] };
  readonly work: string;
  private readonly options: PowerCutOptions;
  private readonly link: ChildLink;

  constructor(options: PowerCutOptions) {
    this.options = options;
    this.work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'aorta-powercuts-'));
    this.link = new ChildLink(this.work, options.program, options.recorder);
  }

  /** Cases with the numbers [first, end). */
  async run(first: number, end: number): Promise<PowerCutReport> {
    for (let from = first; from < end; ) {
      const group = Math.floor(from / CASES_PER_RECORDING);
      const to = Math.min(end, (group + 1) * CASES_PER_RECORDING);
      await this.runGroup(group, from, to);
      from = to;
      const { cases, failures } = this.report;
      this.options.progress?.(`${cases} cases, ${failures.length} failures`);
    }
    return this.report;
  }

  close(): void {
    this.link.close();
    if (this.options.keep !== true) rmSync(this.work, { recursive: true, force: true });
  }

  private async runGroup(group: number, from: number, to: number): Promise<void> {
    const recording = await this.record(group);
    const { operations, directory } = recording;
    const cases = Array.from({ length: to - from }, (_, i) => {
      const random = new Random(mix(this.options.seed, from + i));
      return { number: from + i, random, end: momentOf(operations, random) };
    });
    cases.sort((a, b) => a.end - b.end);
    const disk = new Disk(directory, this.options.lie);
    let at = 0;
    for (const { number, random, end } of cases) {
      for (; at < end; at++) disk.apply(operations[at]);
      const what = await this.runCase(number, recording, disk, end, random);
      if (what !== undefined) this.report.failures.push({ number, subject: recording.subject.name, what });
    }
    if (this.options.keep !== true) rmSync(directory, { recursive: true, force: true });
  }

  private async record(group: number): Promise<Recording> {
    const { subjects } = this.options;
    const subject = subjects[group % subjects.length];
    const seed = mix(this.options.seed, group) % 100_000;
    const directory = join(this.link.root, `recording-${group}`);
    mkdirSync(directory, { recursive: true });
    const order = { subject: subject.name, directory, seed, acknowledged: 0, most: 0, steps: subject.steps };
    const { answer, operations } = await this.link.obey(order);
    const { opened, reopened, error } = answer;
    if (opened === undefined || reopened === undefined) throw new Error(`${subject.name} without a cut: ${error}`);
    const isAll = operations.filter(({ kind }) => kind === 'acknowledged').length >= subject.steps;
    if (!isAll) throw new Error(`${subject.name}: steps were acknowledged, and not recorded`);
    const before = { content: new Map(opened), steps: subject.steps };
    const wrong = wrongIn(subject, new Map(reopened), { seed, acknowledged: subject.steps, before });
    if (wrong !== undefined) throw new Error(`${subject.name} without a cut: ${wrong}`);
    this.report.recordings++;
    return { subject, seed, directory, operations, opened: before.content };
  }

  /** What went wrong, if anything. */
  private async runCase(
    number: number,
    recording: Recording,
    recorded: Disk,
    end: number,
    random: Random,
  ): Promise<string | undefined> {
    const { report } = this;
    const { subject } = recording;
    report.cases++;
    report.bySubject[subject.name] = (report.bySubject[subject.name] ?? 0) + 1;
    const { seed } = recording;
    const begin: Known = { seed, acknowledged: 0, before: undefined };
    const known = knownAfter(recording.operations.slice(0, end), begin, { content: recording.opened, first: 0 });
    const isKill = random.chance(KILL);
    const image = isKill ? recorded.whole() : recorded.cut(random);
    const directory = this.makeDisk(`case-${number}`, image);
    const inode = (path: string) => inodeOf(join(directory, path));
    const disk = isKill ? recorded.movedTo(directory, inode) : Disk.of(directory, image, inode, this.options.lie);
    const first = await this.recover(recording, directory, known);
    const where = `${isKill ? 'kill' : 'cut'} ${end} of ${recording.operations.length}`;
    if (first.wrong !== undefined) return `${where}: ${first.wrong}`;
    if (!isKill && !random.chance(SECOND_CUT)) return undefined;
    report.secondCuts++;
    const second = momentOf(first.operations, random);
    for (const operation of first.operations.slice(0, second)) disk.apply(operation);
    const then = knownAfter(first.operations.slice(0, second), known, first, subject.shownStays);
    const again = this.makeDisk(`case-${number}-again`, disk.cut(random));
    const { wrong } = await this.recover(recording, again, then);
    return wrong && `${where}, then ${second} of ${first.operations.length} of the recovery: ${wrong}`;
  }

  private async recover(
    { subject, seed }: Recording,
    directory: string,
    known: Known,
  ): Promise<Opening & { wrong: string | undefined; operations: readonly Operation[] }> {
    const { acknowledged, most = acknowledged + 1 } = known;
    const order = { subject: subject.name, directory, seed, acknowledged, most, steps: FURTHER_STEPS };
    const { answer, operations } = await this.link.obey(order);
    if (this.options.keep !== true) rmSync(directory, { recursive: true, force: true });
    const opening = { content: new Map(answer.opened), first: answer.first ?? known.acknowledged };
    return { ...opening, wrong: wrongAnswer(subject, answer, known), operations };
  }

  private makeDisk(name: string, image: DiskImage): string {
    const directory = join(this.link.root, name);
    writeImage(directory, image);
    return directory;
  }
}

function wrongAnswer(subject: Subject, answer: ChildAnswer, known: Known): string | undefined {
  const { opened, first, reopened, error } = answer;
  if (opened === undefined || first === undefined || reopened === undefined) return `it cannot be opened: ${error}`;
  const content = new Map(opened);
  const wrong = wrongIn(subject, content, known);
  if (wrong !== undefined) return wrong;
  const before = { content, steps: FURTHER_STEPS };
  const later = wrongIn(subject, new Map(reopened), { seed: known.seed, acknowledged: first + FURTHER_STEPS, before });
  return later && `when it has gone on: ${later}`;
}

/** What is known when these operations came after what was known. What a start has shown stays: somebody may have asked for it. */
function knownAfter(
  operations: readonly Operation[],
  before: Known,
  { content, first }: Opening,
  shownStays = true,
): Known {
  let known = before;
  for (const operation of operations) {
    if (operation.kind !== 'acknowledged') continue;
    if (operation.text === 'opened')
      known = {
        ...known,
        acknowledged: shownStays ? first : known.acknowledged,
        most: first + 1,
        before: { content, steps: 0 },
      };
    const step = /^step (\d+)$/.exec(operation.text);
    if (step === null) continue;
    const steps = (known.before?.steps ?? 0) + 1;
    known = { ...known, acknowledged: Number(step[1]) + 1, most: Number(step[1]) + 2, before: { content, steps } };
  }
  return known;
}

/** After how many operations the power is cut. */
function momentOf(operations: readonly Operation[], random: Random): number {
  const anywhere = random.between(0, operations.length);
  if (!random.chance(AT_STAKE)) return anywhere;
  for (let at = anywhere; at < operations.length; at++) {
    const { kind } = operations[at];
    if (kind === 'synced' || kind === 'directory synced') return at;
    if (kind === 'acknowledged') return at + 1;
  }
  return anywhere;
}

function inodeOf(file: string): bigint {
  return statSync(file, { bigint: true }).ino;
}

function mix(seed: number, n: number): number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return (x ^ (x >>> 13)) >>> 0;
}
