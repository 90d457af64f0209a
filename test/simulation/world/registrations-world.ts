// Shards on real stores on simulated disks: phones, faults, crashes and clocks drawn from one seed, held against what RFC 3261 §10.3
// says of each AOR. No clock, file or thread is real; the same seed tells the same story.

import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import { createAorReader } from '../../../src/core/lookup/aor-key.ts';
import type { ShardAuth } from '../../../src/shard/admission.ts';
import { shardOf } from '../../../src/shard/shard-of.ts';
import { moveBindings } from '../../../src/threads/move/move-bindings.ts';
import { CALM, Crash, DiskError, type Weather } from '../disk.ts';
import { Random } from '../shards/random.ts';
import { Answers, contactsOf, REMEMBERED_MS, type Scene, storyOf } from './answers.ts';
import type { Letter } from './call-letters.ts';
import { type Called, Calls, storyOf as letterStoryOf, VOUCHING_PROXY } from './calls.ts';
import { type Back, Machine, type MachineCopy, type Message, SECRET, type Sent } from './machine.ts';
import { Phone, type Request } from './phone.ts';
import { type Bound, type Change, Registrations, type Rules } from './registrations.ts';
import { FIRST_DOMAIN, isOfSecond, SECOND_DOMAIN, SecondDomain } from './second-domain.ts';
import { Sleepers } from './sleepers.ts';
import { areSame, textOf } from './stored.ts';
import { Storms, TARGET_MS } from './storms.ts';
import { ownMaxS, WaitingUsers } from './waiting-users.ts';
import { type Note, storyOf as noteStoryOf, WATCHING_POLICY, type Watched } from './watcher.ts';
import { Watchers } from './watchers.ts';

const BEGIN = Date.UTC(2030, 0, 1);
const MINUTE = 60_000;
/** Copies are requests of their own behind this time. */
const FORGOTTEN_MS = 40_000;
/** How often a phone asks in calm weather until it is served. */
const ASKS_MAX = 8;
/** Passes in which a shard has work and time stands still. */
const SPINS_MAX = 100;

const aorOf = createAorReader(SECRET);

interface Aor {
  readonly key: Uint8Array;
  readonly owner: (shards: number) => number;
}

/** By domain. */
const aors = new Map<string, Aor[]>();
const numbers = new Map<number, number>();

function aorsOf(domain: string, count: number): readonly Aor[] {
  const known = aors.get(domain) ?? [];
  aors.set(domain, known);
  for (let n = known.length; n < count; n++) {
    const words = aorOf(`u${n}@${domain}`)?.key.slice();
    if (words === undefined) throw new Error('no AOR');
    const key = new Uint8Array(words.buffer, words.byteOffset, 16);
    known.push({ key, owner: (shards) => shardOf(words[3], shards) });
    numbers.set(words[1], n);
  }
  return known;
}

let lives = 0;

interface RegistrationsWorldReport {
  messages: number;
  ok: number;
  refused: number;
  putOff: number;
  replays: number;
  logins: number;
  commits: number;
  failedCommits: number;
  starts: number;
  crashes: number;
  checkpoints: number;
  flowsEnded: number;
  reloads: number;
  orders: number;
  flips: number;
  moves: number;
  backups: number;
  restores: number;
  clocks: number;
  calls: number;
  redirects: number;
  resent: number;
  guesses: number;
  silences: number;
  waits: number;
  ringsFull: number;
  storms: number;
  tooMany: number;
  wakings: number;
  takenUp: number;
  notes: number;
  notifies: number;
  watching: number;
}

/** What a phone or a caller has sent. */
interface Place extends Message {
  readonly request: Request | null;
  readonly letter: Letter | null;
  readonly note: Note | null;
}

/** What may be left out of a run by its name. */
export const FAULTS = [
  'append',
  'short',
  'settle',
  'read',
  'checkpoint',
  'crashes',
  'flips',
  'upheavals',
  'orders',
  'calls',
  'storms',
  'domains',
  'old-records',
  'sleepers',
  'watchers',
  'lines',
];

/** What a run leaves out, so that a failure can be made small. */
export interface Without {
  readonly faults?: readonly string[];
  readonly phones?: readonly number[];
  readonly turns?: number;
}

export class RegistrationsWorld implements Scene, Called, Watched {
  readonly report: RegistrationsWorldReport = {
    ...{ messages: 0, ok: 0, refused: 0, putOff: 0, replays: 0, logins: 0, commits: 0, failedCommits: 0 },
    ...{ starts: 0, crashes: 0, checkpoints: 0, flowsEnded: 0, reloads: 0 },
    ...{ orders: 0, flips: 0, moves: 0, backups: 0, restores: 0, clocks: 0 },
    ...{ calls: 0, redirects: 0, resent: 0, guesses: 0, silences: 0, waits: 0, ringsFull: 0 },
    ...{ storms: 0, tooMany: 0, wakings: 0, takenUp: 0, notes: 0, notifies: 0, watching: 0 },
  };
  readonly random: Random;
  private readonly trace: ((line: string) => void) | undefined;
  private readonly without: Without;
  private readonly machines: Machine<Place>[] = [];
  private model: Registrations;
  readonly phones: Phone[] = [];
  private readonly aors: readonly Aor[];
  /** One of eight seeds has a second domain, and users with rules of their own. */
  private readonly second: SecondDomain | null;
  private readonly weather: Weather;
  readonly logsIn: boolean;
  private readonly users: WaitingUsers;
  /** In one of four seeds others come beside phones, users have to be fetched, and rings are full. */
  private readonly calls: Calls | null;
  /** One of eight seeds begins with a program of the version before: so many turns, with this in the spare bytes of its records. */
  private readonly oldTurns: number;
  private readonly spare: number;
  /** One of eight seeds has times in which shards cannot keep up. */
  private readonly storms: Storms | null;
  /** Three of sixteen seeds have devices that a push wakes: among callers, alone, and with watchers. */
  private readonly sleepers: Sleepers<Place> | null;
  /** Phones that are woken bind their lines one by one, too, and callers ask for what sleeps. */
  private readonly hasOwnLines: boolean;
  /** Three of 32 seeds have watchers: alone, where devices sleep, and in storms. */
  private readonly watchers: Watchers | null;
  /** All machines that there were. */
  private readonly allMachines: Machine<Place>[] = [];
  /** Those that have lost some of their subscriptions. */
  private readonly isCut = new Set<Machine<Place>>();
  /** AORs that requests of the batch are about: nobody else's change. */
  private readonly asked = new Set<number>();
  /** Of the batch: AORs of which the store had nothing, and of which nothing has come yet. */
  private readonly unknown = new Set<number>();
  /** By shard: messages that wait for their users. */
  private readonly waiting: Place[][] = [];
  private readonly putOff = new Set<Request>();
  /** Others' rings were full for these, and they are lost. */
  private readonly lost = new Set<Place>();
  private ringsFull = 0;
  readonly turns: number;
  private readonly batch: number;
  private crashes: number;
  /** Odd seeds know more: flipped bits, operators, other numbers of shards, backups, and clocks that are wrong. */
  private readonly isWide: boolean;
  private flips: number;
  private readonly upheavals: number;
  private readonly orders: number;
  private readonly generationBytes: number;
  private backup: { readonly machines: readonly MachineCopy[]; readonly model: Registrations } | undefined;
  private readonly clock = { holds: false, setBacks: 0 };
  /** So much the clock is ahead, ms, and AORs that were written since it is. */
  private ahead = 0;
  private readonly writtenAhead = new Set<number>();
  /** What a batch should not have written. */
  private miswritten = '';
  /** AORs with ends of a time that was set back since: they may be shortened to what was granted. */
  private readonly skewed = new Set<number>();
  private lifeCount = 0;
  private rules: Rules;
  private readonly graceS: number;
  readonly alive = new Set<number>();
  private flows = 0;
  now = BEGIN;
  private turn = 0;
  /** By shard: messages that others have handed over; how often it has started; batches that failed. */
  private readonly inbox: Place[][] = [];
  private readonly lives: number[] = [];
  batchFailed = false;
  private readonly answers = new Answers(this);
  private readonly touched = new Set<number>();
  /** AORs of which something could not be read, in this batch or before: they may have been given up in it. */
  private readonly unread = new Set<number>();

  constructor(seed: number, trace?: (line: string) => void, without: Without = {}) {
    const random = new Random(seed);
    this.random = random;
    this.trace = trace;
    this.without = without;
    const shards = random.pick([1, 1, 2, 3]);
    const aorCount = random.pick([2, 5, 12, 30]);
    this.turns = random.pick([20, 40, 80]);
    this.batch = random.pick([1, 3, 8]);
    const hasCalls = seed % 4 === 3 && !without.faults?.includes('calls');
    this.logsIn = random.chance(hasCalls ? 0.7 : 0.3);
    this.graceS = random.pick([0, 0, 30]);
    this.model = new Registrations(aorCount);
    const sometimes = (name: string, rate: number) => {
      const drawn = random.chance(0.4) ? rate * random.next() : 0;
      return without.faults?.includes(name) ? 0 : drawn;
    };
    this.weather = {
      append: sometimes('append', 0.1),
      short: sometimes('short', 0.1),
      settle: sometimes('settle', 0.1),
      read: sometimes('read', 0.02),
      checkpoint: sometimes('checkpoint', 0.05),
    };
    this.crashes = sometimes('crashes', 0.08);
    const streams = random.pick([0, 0.3, 1]);
    const isDivided = seed % 8 === 1 && !without.faults?.includes('domains');
    const domainOf = (n: number) => (isDivided && isOfSecond(n) ? SECOND_DOMAIN : FIRST_DOMAIN);
    this.aors = Array.from({ length: aorCount }, (_, n) => aorsOf(domainOf(n), n + 1)[n]);
    const sleeps = [4, 11, 12].includes(seed % 16) && !without.faults?.includes('sleepers');
    this.sleepers = sleeps ? new Sleepers(random, (what) => this.fail(what)) : null;
    this.hasOwnLines = !without.faults?.includes('lines');
    let host = 0;
    for (let n = 0; n < aorCount; n++) {
      const devices = random.pick([1, 1, 2, 3]);
      for (let device = 0; device < devices; device++) {
        const isStream = random.chance(streams);
        const lines = isStream ? 1 : random.pick([1, 1, 2]);
        const isWoken = sleeps && random.chance(0.6);
        this.phones.push(new Phone(n, device, ++host, isStream, lines, domainOf(n), isWoken, this.hasOwnLines));
      }
    }
    this.rules = this.drawRules();
    const hasStreams = this.phones.some(({ isStream }) => isStream);
    this.second = isDivided ? new SecondDomain(random, this.drawRules(), !hasStreams) : null;
    const passwords = Object.fromEntries(this.phones.map(({ user }) => [user, `secret of ${user}`]));
    this.users = new WaitingUsers([FIRST_DOMAIN, SECOND_DOMAIN], passwords, {});
    this.generationBytes = random.pick([4096, 8192, 16_384]);
    this.isWide = seed % 2 === 1;
    this.flips = this.isWide ? sometimes('flips', 0.1) : 0;
    this.upheavals = this.isWide ? sometimes('upheavals', 0.4) : 0;
    this.orders = this.isWide ? sometimes('orders', 0.2) : 0;
    this.calls = hasCalls ? new Calls(this) : null;
    this.storms = seed % 8 === 5 && !without.faults?.includes('storms') ? new Storms((what) => this.fail(what)) : null;
    const isOld = seed % 8 === 7 && !without.faults?.includes('old-records');
    this.oldTurns = isOld ? random.between(5, 30) : 0;
    this.spare = isOld ? random.between(1, 255) : -1;
    this.ringsFull = this.calls === null ? 0 : sometimes('rings', 0.2);
    const isWatched = [6, 12, 13].includes(seed % 32) && !without.faults?.includes('watchers');
    const domains = Array.from({ length: aorCount }, (_, n) => domainOf(n));
    this.watchers = isWatched ? new Watchers(this, domains) : null;
    this.setMachines(Array.from({ length: shards }, (_, index) => this.createMachine(index, shards)));
    this.users.haveOwnRules = this.calls !== null || this.second !== null;
    if (this.calls !== null) this.sendUsersAway();
  }

  async run(): Promise<void> {
    try {
      await this.tell();
    } finally {
      for (const machine of this.allMachines) machine.remove();
    }
  }

  private async tell(): Promise<void> {
    this.say(() => JSON.stringify({ shards: this.machines.length, phones: this.phones.length, ...this.rules }));
    for (const index of this.machines.keys()) this.start(index);
    const turns = Math.min(this.turns, this.without.turns ?? Number.POSITIVE_INFINITY);
    for (this.turn = 0; this.turn < turns; this.turn++) {
      await null; // checkpoints go on
      for (const { failure } of this.machines) if (failure !== undefined) throw failure;
      this.takeTurn();
      this.hearWatchers();
      this.watchers?.endTurn();
      for (const [index, { disk }] of this.machines.entries()) if (disk.dead) this.crashed(index);
    }
    await this.end();
  }

  private takeTurn(): void {
    const { random } = this;
    this.now += random.pick([10, 1000, 1000, 20_000, random.between(0, 10) * MINUTE]);
    for (const { disk } of this.machines) {
      disk.weather = this.weather;
      if (random.chance(this.crashes)) disk.crashWithin(random.pick([1, 5, 30]));
    }
    if (this.calls !== null && random.chance(0.2)) this.usersArrive(random.chance(0.8));
    if (this.sleepers !== null && random.chance(0.4)) this.devicesWake(this.sleepers);
    if (this.isWide && this.upheave()) return;
    if (this.storms !== null && random.chance(0.1)) return this.storm(this.storms);
    const dice = random.next();
    const index = random.between(0, this.machines.length - 1);
    if (dice < 0.05) this.restart(index);
    else if (dice < 0.1) this.machines[index].checkpoint();
    else if (dice < 0.17) this.endFlows();
    else if (dice < 0.2) this.reload();
    else if (dice < 0.25) this.lookAtAll();
    else if (dice < 0.3) this.idle(index);
    else this.phonesAsk();
  }

  private phonesAsk(): void {
    const { random } = this;
    const byShard: Place[][] = this.machines.map(() => []);
    const asked = new Set<Phone>();
    for (let i = random.between(1, this.batch); i > 0; i--) {
      if (this.calls !== null && random.chance(0.4)) {
        const letter = this.calls.draw(this.model.size);
        byShard[letter.host % this.machines.length].push(this.post(letter));
        continue;
      }
      const note = this.watchers !== null && random.chance(0.3) ? this.watchers.draw() : null;
      if (note !== null) {
        byShard[note.host % this.machines.length].push(this.postNote(note));
        continue;
      }
      const phone = random.pick(this.phones);
      if (asked.has(phone) || this.without.phones?.includes(phone.host)) continue;
      const request = this.draw(phone, random.next());
      if (request === null) continue;
      asked.add(phone);
      byShard[request.host % this.machines.length].push(this.send(request));
      if (!phone.isStream && random.chance(0.05))
        byShard[request.host % this.machines.length].push(this.send({ ...request, first: request.first ?? request }));
    }
    for (const [index, messages] of byShard.entries()) if (messages.length > 0) this.runBatch(index, messages);
    this.deliver();
  }

  /** For a while more comes than shards can do. In half of the storms all had run out before. */
  private storm(storms: Storms): void {
    const { random, machines } = this;
    this.report.storms++;
    if (random.chance(0.5)) {
      this.now += 130 * MINUTE;
      for (let sweeps = 0; sweeps < 2; sweeps++) {
        for (const index of machines.keys()) this.runBatch(index, []);
        this.now += 10;
      }
    }
    storms.waitMs = TARGET_MS * random.pick([0.3, 0.3, 2]);
    this.say(() => `a storm: ${storms.waitMs} ms of work wait`);
    for (let batches = random.between(3, 24); batches > 0 && !machines.some(({ disk }) => disk.dead); batches--) {
      this.now += random.pick([10, 40, 120]);
      this.phonesAsk();
      this.hearWatchers();
    }
    storms.waitMs = 0;
    this.say(() => 'the storm is over');
    for (const index of machines.keys()) this.runBatch(index, []);
  }

  /** Devices have got their push: some come, and who has waited for them is answered. */
  private devicesWake(sleepers: Sleepers<Place>): void {
    const { random, machines } = this;
    for (const index of machines.keys()) {
      const waking = sleepers.take(index);
      if (waking.length === 0) continue;
      for (const phone of this.phones)
        if (waking.some(({ devices }) => devices.includes(phone.device)) && random.chance(0.5)) this.comesBack(phone);
      this.now += random.pick([0, 100, 3000]);
      const woken = new Set(waking.map(({ message }) => message));
      this.runBatch(index, [...woken], { inVain: NONE, woken });
      this.deliver();
    }
  }

  private comesBack(phone: Phone): void {
    if (this.without.phones?.includes(phone.host)) return;
    if (this.random.chance(0.3)) phone.boot();
    const request = this.draw(phone, 1);
    if (request === null) return;
    this.report.takenUp++;
    this.runBatch(request.host % this.machines.length, [this.send(request)]);
    this.deliver();
  }

  private draw(phone: Phone, dice: number): Request | null {
    const { random } = this;
    if (this.isWide && random.chance(this.orders)) return this.drawOrder(phone);
    if (this.calls !== null && this.logsIn && random.chance(0.05)) return this.drawVouched(phone);
    if (phone.isStream && phone.flow === 0) {
      phone.flow = ++this.flows;
      this.alive.add(phone.flow);
    }
    if (dice < 0.08) return this.mayRepeat(phone) ? phone.again() : null;
    if (dice < 0.12) return phone.isStream || phone.cseq < 1 ? null : phone.stale(random);
    if (dice < 0.16 && this.logsIn) return this.drawTheft(phone);
    if (dice < 0.2) phone.boot();
    if (dice < 0.28) return phone.ask('fetch', 0, random);
    if (dice < 0.38) return phone.ask('unbind', 0, random);
    if (dice < 0.42) return phone.ask('star', 0, random);
    return phone.ask('bind', random.pick([60, 90, 300, 600, 3600, 7200]), random);
  }

  /** Somebody uses what a phone has said: when it was bound last, or whatever it said. */
  private drawTheft(phone: Phone): Request | null {
    const { random, isWide } = this;
    if (isWide) return phone.heard.length === 0 ? null : phone.replay(random, random.pick(phone.heard));
    return phone.used === '' ? null : phone.replay(random);
  }

  private drawOrder(phone: Phone): Request {
    const { random, report } = this;
    report.orders++;
    if (phone.isStream || random.chance(0.3)) return phone.order('star', 0, random);
    return random.chance(0.5)
      ? phone.order('unbind', 0, random)
      : phone.order('bind', random.pick([10, 600, 36_000]), random);
  }

  /** A trusted proxy stands for its user, or for another. */
  private drawVouched(phone: Phone): Request {
    const { random } = this;
    const from = random.chance(0.3) ? 'somebody' : phone.user;
    const kind = phone.isStream ? 'star' : random.pick(['bind', 'bind', 'unbind', 'star'] as const);
    return phone.vouched(kind, random.pick([300, 3600]), VOUCHING_PROXY, random, from);
  }

  /** Between the two nobody knows whether the shard remembers it. */
  private mayRepeat({ last, isStream }: Phone): boolean {
    if (last === null || isStream) return false;
    const age = this.now - (last.first ?? last).sentAt;
    return age < REMEMBERED_MS || age > FORGOTTEN_MS;
  }

  private send(request: Request): Place {
    if (request.first === null) {
      request.sentAt = this.now;
      request.life = this.lives[this.ownerOf(request.phone.n)];
    }
    this.report.messages++;
    const { bytes, host, flow, isOrder } = request;
    return { bytes, host, flow, isOrder, request, letter: null, note: null };
  }

  private post(letter: Letter): Place {
    this.report.messages++;
    const { bytes, host, flow, isOrder } = letter;
    return { bytes, host, flow, isOrder, request: null, letter, note: null };
  }

  private postNote(note: Note): Place {
    this.report.notes++;
    const { bytes, host, flow, isOrder } = note;
    return { bytes, host, flow, isOrder, request: null, letter: null, note };
  }

  /** Watchers answer what they have been told. */
  private hearWatchers(): void {
    if (this.watchers === null) return;
    for (let rounds = 0; rounds < 10; rounds++) {
      const answers = this.watchers.takeAnswers();
      if (answers.length === 0) return;
      for (const index of this.machines.keys()) {
        const own = answers.filter(({ host }) => host % this.machines.length === index);
        if (own.length > 0)
          this.runBatch(
            index,
            own.map((note) => this.postNote(note)),
          );
      }
      this.deliver();
    }
  }

  startOf(shard: number): number {
    return this.lives[shard];
  }

  lifeOf(n: number): number {
    return this.lives[this.ownerOf(n)];
  }

  ownerOf(n: number): number {
    return this.aors[n].owner(this.machines.length);
  }

  /** What was handed from shard to shard. */
  private deliver(): void {
    for (const [index, messages] of this.inbox.entries()) {
      if (messages.length === 0) continue;
      this.inbox[index] = [];
      if (!this.machines[index].disk.dead) this.runBatch(index, messages);
    }
  }

  private runBatch(index: number, messages: readonly Place[], back?: Back<Place>): void {
    const machine = this.machines[index];
    if (machine.disk.dead) return;
    this.batchFailed = false;
    this.touched.clear();
    this.unread.clear();
    for (let n = 0; n < this.model.size; n++) if (this.model.isDamaged(n)) this.unread.add(n);
    const loadFailures = machine.counter('load_failures');
    this.say(() => `shard ${index}: ${messages.map(storyOfPlace).join(', ')}`);
    const before = new Map(messages.map((one) => [numberIn(one), this.live(this.model.kept(numberIn(one)))]));
    this.second?.count(this.bindingsOfSecond());
    this.unknown.clear();
    if (this.storms !== null) this.noteUnknown();
    this.sleepers?.beginBatch();
    this.asked.clear();
    for (const message of messages) this.asked.add(numberIn(message));
    const isOneByOne = this.calls !== null && messages.length > 1;
    const sent = machine.run(messages, this.now, back ?? (isOneByOne ? NOBODY : undefined));
    if (this.miswritten !== '') this.fail(this.miswritten);
    if (machine.disk.dead) {
      this.watchers?.diedWith(messages.flatMap(({ note }) => note ?? []));
      return this.say(() => '  and it is dead');
    }
    const isSick = machine.counter('load_failures') > loadFailures;
    if (this.batchFailed) this.storms?.lost(index);
    this.judge(index, messages, sent, before, isSick, back?.woken ?? NONE);
    this.hearNotices(index, machine);
    this.storms?.behind(index, this.now);
    this.putOff.clear();
    for (const n of this.touched) this.look(n);
    this.checkCounters(index);
  }

  private hearNotices(index: number, machine: Machine<Place>): void {
    const { watchers } = this;
    if (watchers === null) return;
    this.report.notifies += machine.notices.length;
    watchers.received(index, machine.notices, machine.disk.weather.read > 0);
    watchers.checkCounters(index, (name) => machine.counter(name));
  }

  kept(n: number): readonly Bound[] {
    return this.model.kept(n);
  }

  /** Answers in the order of their requests. */
  private judge(
    index: number,
    messages: readonly Place[],
    sent: readonly Sent<Place>[],
    working: Map<number, readonly Bound[]>,
    isSick: boolean,
    back: ReadonlySet<Place>,
  ): void {
    const answers = new Map(sent.map(({ message, text }) => [message, text]));
    for (const { message, text } of sent) if (message === null) this.calls?.resent(text);
    for (const message of messages) {
      const { request, letter, note } = message;
      const text = answers.get(message);
      if (note !== null && (text !== undefined || this.ownerOf(note.n) === index)) this.watchers?.judge(note, text);
      if (request === null) {
        if (letter !== null && !this.waitsForDevice(message, letter, text, working, isSick, back.has(message)))
          this.judgeLetter(index, message, letter, text, working, isSick);
        continue;
      }
      const { n } = request.phone;
      if (text === undefined) {
        if (this.ownerOf(n) === index && !this.waiting[index].includes(message)) this.unanswered(request);
        continue;
      }
      this.touched.add(n);
      if (request.login !== '' && text.slice(8, 11) !== '401') this.calls?.guesses.succeeded(n);
      this.say(() => `  ${request.phone.user} ${text.slice(8, 11)} ${contactsOf(text).join(' ')}`);
      const next = this.answers.judge(request, text, working.get(n) ?? [], isSick);
      working.set(n, next);
    }
    for (const [n, next] of working) {
      if (this.batchFailed || this.mayBeGone(n)) continue;
      const kept = this.live(this.model.kept(n));
      if (!areSame(kept, this.live(next)))
        this.fail(
          `AOR ${n}: written was ${textOf(kept)} (of ${textOf(this.model.kept(n))}), and decided ${textOf(next)}`,
        );
    }
  }

  /** Whether the letter waits for a device: it does once, where one sleeps that it asks for, and wakes that one alone. */
  private waitsForDevice(
    place: Place,
    letter: Letter,
    text: string | undefined,
    working: Map<number, readonly Bound[]>,
    isSick: boolean,
    isBack: boolean,
  ): boolean {
    const { sleepers, calls } = this;
    if (sleepers === null || calls === null) return false;
    const waking = sleepers.woken.find(({ message }) => message === place);
    if (waking !== undefined && isBack) this.fail(`${letterStoryOf(letter)} waits once more`);
    if (text?.startsWith('SIP/2.0 503')) return false; // another shard's ring was full
    const isSure = !this.mayBeGone(letter.n) && !isSick && !this.batchFailed;
    const devices = calls.wokenBy(letter, working.get(letter.n) ?? []);
    const woken = waking?.devices ?? [];
    if (isSure && !isBack && (waking !== undefined || text !== undefined) && devices.join() !== woken.join())
      this.fail(`${letterStoryOf(letter)} wakes ${woken.join() || 'nobody'} instead of ${devices.join() || 'nobody'}`);
    if (waking === undefined) return false;
    this.report.wakings++;
    this.say(() => `  ${letterStoryOf(letter)} wakes ${woken.join()}`);
    if (!waking.waits) return false;
    const isTrying = text?.startsWith('SIP/2.0 100') ?? false;
    if (isTrying !== (letter.kind === 'INVITE') || (text !== undefined && !isTrying))
      this.fail(`${letterStoryOf(letter)} waits for a device and draws ${text}`);
    return true;
  }

  drawAsleep(): number | null {
    if (this.sleepers === null || !this.hasOwnLines) return null;
    return this.sleepers.drawAsleep(this.aors.map((_, n) => this.live(this.model.kept(n))));
  }

  devicesOf(asked: readonly Bound[], all: readonly Bound[]): readonly string[] {
    return this.sleepers?.devicesOf(asked, all) ?? [];
  }

  private judgeLetter(
    index: number,
    place: Place,
    letter: Letter,
    text: string | undefined,
    working: Map<number, readonly Bound[]>,
    isSick: boolean,
  ): void {
    if (this.calls === null) return;
    if (this.lost.delete(place)) return this.judgeLost(letter, text);
    const isForwarded = letter.user !== '' && this.ownerOf(letter.n) !== index;
    if (isForwarded && text === undefined) return;
    if (text !== undefined)
      this.say(() => `  ${letterStoryOf(letter)}: ${text.slice(8, 11)} ${contactsOf(text).join(' ')}`);
    this.calls.judge(letter, text, working.get(letter.n) ?? [], isSick, index);
  }

  /** Another shard's ring was full: over a stream nobody would send it again, so it is told. */
  private judgeLost({ kind, flow }: Letter, text: string | undefined): void {
    const isTold = flow !== 0 && kind !== 'ACK';
    if (isTold !== (text !== undefined) || (isTold && !text?.startsWith('SIP/2.0 503')))
      this.fail(`a ring was full, and a ${kind} drew ${text}`);
  }

  /** Those that came with others of the same batch, and found them in progress. */
  private unanswered(request: Request): void {
    if (request.first === null) this.fail(`no answer to ${storyOf(request)}`);
  }

  isPutOff(request: Request): boolean {
    return this.putOff.has(request);
  }

  /** NaN: some of them may be gone. */
  private bindingsOfSecond(): number {
    let count = 0;
    for (let n = 0; n < this.model.size; n++)
      if (isOfSecond(n)) count += this.mayBeGone(n) ? Number.NaN : this.live(this.model.kept(n)).length;
    return count;
  }

  /** Who has added bindings to the second domain, or removed some. */
  hasAdded({ phone }: Request, bindings: number): void {
    if (isOfSecond(phone.n)) this.second?.add(bindings);
  }

  private noteUnknown(): void {
    for (let n = 0; n < this.model.size; n++)
      if (this.model.kept(n).length === 0 && !this.mayBeGone(n)) this.unknown.add(n);
  }

  /** New ones alone: who asks to be bound, or not to be, and has no binding. */
  mayBeTooMany({ phone, contacts }: Request, bindings: readonly Bound[]): boolean {
    if (this.storms === null || contacts.length === 0 || !this.storms.isPuttingOff(this.ownerOf(phone.n))) return false;
    return this.mayBeGone(phone.n) || this.live(bindings).length === 0;
  }

  hasComeIn(request: Request, status: number, text: string, bindings: readonly Bound[]): void {
    const { phone, first, login } = request;
    if (this.storms === null || !this.mayBeTooMany(request, bindings)) return;
    if (this.batchFailed && status === 503) phone.last = null; // whether it is kept for copies nobody knows
    if (this.batchFailed) return;
    const shard = this.ownerOf(phone.n);
    const isNew = this.unknown.has(phone.n) && first === null && status !== 401 && status < 500;
    if (status === 503) {
      this.report.tooMany++;
      return this.storms.hasPutOff(shard, text);
    }
    this.unknown.delete(phone.n);
    if (status !== 401 || login !== '') this.storms.hasLetIn(shard, isNew);
  }

  isAway(n: number): boolean {
    return this.users.away.has(`u${n}`);
  }

  mayBeGone(n: number): boolean {
    return this.model.isDamaged(n) || this.unread.has(n) || this.skewed.has(n);
  }

  /** An operator gets what is asked for, up to the longest interval. */
  rulesOf({ isOrder, isVouched, phone }: Request): Rules {
    const server = this.sleepers === null ? this.rules : { ...this.rules, push: this.sleepers.rules };
    const rules = this.second !== null && isOfSecond(phone.n) ? this.second.rulesNow : server;
    if (isOrder) return { ...rules, jitterPercent: 0 };
    const own = this.users.haveOwnRules && this.logsIn && !isVouched ? ownMaxS(phone.user) : 0;
    return own === 0 ? rules : { ...rules, maxS: own };
  }

  /** Targets, and behind them what sleeps, as if it were marked so. */
  live(bindings: readonly Bound[]): readonly Bound[] {
    const { now, alive, sleepers } = this;
    const isTarget = ({ expiresAt, flow, isAsleep }: Bound) =>
      !isAsleep && expiresAt > now && (flow === 0 || alive.has(flow));
    if (sleepers === null) return bindings.filter(isTarget);
    const kept = bindings.filter((one) => isTarget(one) || sleepers.keeps(one, now));
    return kept.map((one) => (isTarget(one) ? one : { ...one, flow: 0, isAsleep: true }));
  }

  // --- users that are fetched, and rings between shards

  /** Some have to be fetched when they come. */
  private sendUsersAway(): void {
    for (const { user } of this.phones) if (this.random.chance(0.5)) this.users.away.add(user);
  }

  /** Keeps a message until its user has been fetched; false: too many wait. */
  private waitForUser(index: number, place: Place): boolean {
    const { request } = place;
    if (!this.isAway(numberIn(place))) this.fail(`${storyOfPlace(place)} waits for nobody`);
    if (request === null) return false;
    if (this.random.chance(0.1)) {
      this.putOff.add(request);
      return false;
    }
    this.report.waits++;
    this.waiting[index].push(place);
    return true;
  }

  /** Who knows the users has answered, or cannot be asked: what waits comes again. */
  private usersArrive(areKnown: boolean): void {
    if (this.calls === null || this.users.away.size === 0) return;
    this.say(() => (areKnown ? 'users are known' : 'nobody can tell of users'));
    if (areKnown) this.users.away.clear();
    for (const [index, places] of this.waiting.entries()) {
      this.waiting[index] = [];
      const messages = places.filter(
        ({ request }) => request !== null && this.isClear(request) && this.isConnected(request),
      );
      if (messages.length === 0) continue;
      if (!areKnown) for (const { request } of messages) if (request !== null) this.putOff.add(request);
      this.runBatch(index, messages, { inVain: areKnown ? NONE : new Set(messages), woken: NONE });
      const again = this.waiting[index].find((one) => messages.includes(one));
      if (again !== undefined) this.fail(`${storyOfPlace(again)} waits once more`);
    }
    if (areKnown && this.random.chance(0.6)) this.sendUsersAway();
  }

  /** Whether it is known what a copy of the request has drawn meanwhile. */
  private isClear(request: Request): boolean {
    const { answer, sentAt } = request.first ?? request;
    const age = this.now - sentAt;
    return answer === '' || request.flow !== 0 || age < REMEMBERED_MS || age > FORGOTTEN_MS;
  }

  /** A stream that has ended carries no answer. */
  private isConnected({ flow }: Request): boolean {
    return flow === 0 || this.alive.has(flow);
  }

  private handOver(owner: number, place: Place): boolean {
    if (this.ringsFull === 0 || !this.random.chance(this.ringsFull)) {
      this.inbox[owner].push(place);
      return true;
    }
    this.report.ringsFull++;
    if (place.request === null) this.lost.add(place);
    else this.putOff.add(place.request);
    return false;
  }

  // --- what happens to shards

  /** A process ends, or the power is cut. */
  private endOne(machine: Machine<Place>, power: boolean): void {
    if (machine.end(power)) this.isCut.add(machine);
  }

  private setMachines(machines: readonly Machine<Place>[]): void {
    this.machines.splice(0, this.machines.length, ...machines);
    this.inbox.splice(0, this.inbox.length, ...machines.map(() => []));
    this.lives.splice(0, this.lives.length, ...machines.map(() => 0));
    this.waiting.splice(0, this.waiting.length, ...machines.map(() => []));
  }

  private createMachine(index: number, shards: number, copy?: MachineCopy): Machine<Place> {
    const ofShard = (n: number) => this.ownerOf(n) === index;
    const machine = new Machine<Place>(
      {
        ...{ random: this.random, generationBytes: this.generationBytes, index, shards, clock: this.clock },
        numberOf: (word) => numbers.get(word) ?? -1,
        isAlive: (flow) => this.alive.has(flow),
        forward: (owner, message) => this.handOver(owner, message),
        calls: this.calls,
        wait: (message) => this.waitForUser(index, message),
        wake: this.sleepers && ((message, devices) => this.sleepers?.wake(index, message, devices) ?? false),
        committed: (changes, lasting) => {
          this.report.commits++;
          this.say(
            () => `  ${lasting ? 'commit' : 'sweep'} ${[...changes].map(([n, { kind }]) => `${kind} ${n}`).join(', ')}`,
          );
          if (this.clock.holds && !lasting) this.checkHeld(changes);
          this.checkRefreshes(changes);
          this.checkUnasked(changes);
          this.model.committed(changes, lasting, ofShard);
          for (const n of changes.keys()) this.wrote(n);
        },
        failed: (changes) => this.commitFailed(changes),
        unreadable: (owners) => {
          for (const n of owners) {
            this.model.damage(n);
            this.say(() => `  unreadable: AOR ${n}`);
            this.unread.add(n);
          }
        },
        isWatched: this.watchers !== null,
        auth: () => this.auth(index),
        rules: () => this.policy(),
        spare: () => (this.turn < this.oldTurns ? this.spare : -1),
        pressure: { elapsed: () => this.storms?.elapsed() ?? 0, ...(this.storms && { backlog: this.storms.backlog }) },
      },
      copy,
    );
    this.allMachines.push(machine);
    return machine;
  }

  private wrote(n: number): void {
    this.touched.add(n);
    if (this.ahead > 0) this.writtenAhead.add(n);
  }

  /** While the clock cannot be trusted, a sweep takes nothing but what lives by a connection that has ended. */
  private checkHeld(changes: ReadonlyMap<number, Change>): void {
    for (const [n, change] of changes) {
      if (change.kind === 'refresh') continue;
      const left = change.kind === 'record' ? change.bindings : [];
      const gone = this.model.kept(n).filter(({ contact }) => !left.some((one) => one.contact === contact));
      const wrong = gone.find(({ flow }) => flow === 0 || this.alive.has(flow));
      if (wrong !== undefined) this.miswritten = `AOR ${n}: ${wrong.contact} is removed while nobody knows the time`;
    }
  }

  /** Of AORs that nobody has asked about only that goes which has ended: what lives, and what sleeps, is as it was. */
  private checkUnasked(changes: ReadonlyMap<number, Change>): void {
    for (const [n, change] of changes) {
      if (this.asked.has(n) || this.mayBeGone(n) || change.kind === 'refresh') continue;
      const left = change.kind === 'record' ? change.bindings : [];
      const isEnded = ({ expiresAt, isAsleep }: Bound) => expiresAt <= this.now && !isAsleep;
      if (left.some(isEnded) && areSame(left, this.model.kept(n)))
        this.miswritten = `AOR ${n}: a sweep leaves what has run out as it was: "${textOf(left)}"`;
      const before = this.live(this.model.kept(n));
      const behind = this.live(left);
      if (!areSame(before, behind))
        this.miswritten = `AOR ${n}: a sweep leaves "${textOf(behind)}" of "${textOf(before)}"`;
    }
  }

  /** A refresh prolongs what lives; what has run out is bound anew, as a record: with new temporary GRUUs (RFC 5627 §3.2), and told as new. */
  private checkRefreshes(changes: ReadonlyMap<number, Change>): void {
    for (const [n, { kind }] of changes)
      if (
        kind === 'refresh' &&
        !this.mayBeGone(n) &&
        this.model.kept(n).every(({ expiresAt }) => expiresAt <= this.now)
      )
        this.miswritten = `AOR ${n}: a refresh of what has run out`;
  }

  private commitFailed(changes: ReadonlyMap<number, Change>): void {
    this.checkRefreshes(changes);
    this.report.failedCommits++;
    this.batchFailed = true;
    this.model.failed(changes);
    for (const n of changes.keys()) this.wrote(n);
    this.say(() => `  failed: the batch of ${[...changes.keys()].join(' ')}`);
  }

  private auth(index: number): Omit<ShardAuth, 'wait'> | null {
    if (!this.logsIn) return null;
    const policy = { ...DEFAULT_AUTH_POLICY, usedNoncesMax: 64 };
    return { policy, realms: [FIRST_DOMAIN, SECOND_DOMAIN], users: this.users, nonceStart: index, life: ++lives };
  }

  private policy() {
    const { minS, maxS, jitterPercent, contactsMax } = this.rules;
    return {
      minExpiresS: minS,
      maxExpiresS: maxS,
      defaultExpiresS: maxS,
      expiresJitterPercent: jitterPercent,
      contactsPerAorMax: contactsMax,
      contactsOverflow: 'reject' as const,
      flowGraceS: this.graceS,
      ...(this.second !== null && { byDomain: { [SECOND_DOMAIN]: this.second.policy() } }),
      ...(this.calls !== null && { lookup: this.calls.lookup }),
      ...(this.watchers !== null && { subscriptions: WATCHING_POLICY }),
      ...(this.sleepers !== null && { push: this.sleepers.policy }),
    };
  }

  private drawRules(): Rules {
    const { random, phones } = this;
    return {
      minS: random.pick([60, 60, 120]),
      maxS: random.pick([600, 3600, 7200]),
      jitterPercent: random.pick([0, 10, 30]),
      contactsMax: phones.some(({ isStream }) => isStream) ? 10 : random.pick([1, 3, 10]),
    };
  }

  private reload(): void {
    this.report.reloads++;
    this.rules = this.drawRules();
    if (this.second !== null) this.second.rules = this.drawRules();
    this.sleepers?.reload();
    this.calls?.drawLookup();
    this.calls?.forget();
    this.sleepers?.forgetAll();
    this.say(() => `a reload: ${JSON.stringify(this.rules)}`);
    for (const machine of this.machines) machine.configure();
  }

  private endFlows(): void {
    const ended: number[] = [];
    for (const phone of this.phones) {
      if (phone.flow === 0 || !this.random.chance(0.3)) continue;
      ended.push(phone.flow);
      this.alive.delete(phone.flow);
      phone.flow = 0;
    }
    if (this.watchers !== null) ended.push(...this.watchers.cutOff(() => this.random.chance(0.3)));
    if (ended.length === 0) return;
    this.report.flowsEnded += ended.length;
    this.say(() => `connections end: ${ended.join(' ')}`);
    for (const machine of this.machines) if (!machine.disk.dead) machine.flowsEnded(ended, this.now);
  }

  private idle(index: number): void {
    this.now += this.random.pick([1, 30, 120]) * MINUTE;
    this.say(() => `shard ${index} has time`);
    for (let i = 0; i < 5 && this.machines[index].msToNextTick(this.now) === 0; i++) {
      this.runBatch(index, []);
      this.now += 5;
    }
  }

  /** An orderly end, and a start. */
  private restart(index: number): void {
    const machine = this.machines[index];
    this.say(() => `shard ${index} ends in order`);
    try {
      machine.store.close();
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
    }
    if (machine.disk.dead) return;
    this.endOne(machine, this.random.chance(0.5));
    this.start(index);
  }

  private crashed(index: number): void {
    const power = this.random.chance(0.6);
    this.say(() => `shard ${index}: ${power ? 'a cut of power' : 'a kill'}`);
    this.report.crashes++;
    this.endOne(this.machines[index], power);
    this.start(index);
  }

  private start(index: number): void {
    const { random, crashes } = this;
    const machine = this.machines[index];
    this.inbox[index] = [];
    this.waiting[index] = [];
    this.sleepers?.forget(index);
    this.closeConnectionsOf(index);
    let isCut = this.isCut.delete(machine);
    for (let tries = 0; ; tries++) {
      if (tries > 0 && machine.end(random.chance(0.6))) isCut = true;
      machine.disk.weather = tries > 3 ? CALM : this.weather;
      if (tries < 3 && random.chance(crashes)) machine.disk.crashWithin(100);
      this.report.starts++;
      this.lives[index] = ++this.lifeCount;
      this.storms?.forget(index);
      try {
        machine.start(this.now);
      } catch (error) {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
        if (tries > 20) this.fail(`shard ${index} does not start: ${error.message}`);
        continue;
      }
      if (!machine.disk.dead) break;
    }
    machine.disk.calm();
    this.watchers?.started(index, isCut);
    for (let n = 0; n < this.model.size; n++) if (this.ownerOf(n) === index) this.lookAfterStart(n, machine);
    this.checkCounters(index);
  }

  /** Connections end with the process that holds them. */
  private closeConnectionsOf(index: number): void {
    const ended: number[] = [];
    for (const phone of this.phones) {
      if (phone.flow === 0 || phone.host % this.machines.length !== index) continue;
      ended.push(phone.flow);
      this.alive.delete(phone.flow);
      phone.flow = 0;
    }
    if (this.watchers !== null) ended.push(...this.watchers.cutOff((host) => host % this.machines.length === index));
    if (ended.length === 0) return;
    for (const [other, machine] of this.machines.entries())
      if (other !== index && this.lives[other] > 0 && !machine.disk.dead) machine.flowsEnded(ended, this.now);
  }

  // --- what changes the whole

  /** Whether something of that kind comes now. */
  private upheave(): boolean {
    const { random } = this;
    if (random.chance(this.flips)) this.flipBit();
    if (!random.chance(this.upheavals)) return false;
    const dice = random.next();
    if (dice < 0.3) this.backUp();
    else if (dice < 0.5) this.restore();
    else if (dice < 0.75) this.reshard();
    else this.setClock();
    return true;
  }

  private flipBit(): void {
    const at = this.random.pick(this.machines).flipBit();
    if (at === undefined) return;
    this.report.flips++;
    this.say(() => `a bit flips at ${at}`);
  }

  /** An orderly end of all shards, as far as their disks let it. */
  private endAll(): void {
    for (const machine of this.machines) {
      try {
        machine.store.close();
      } catch (error) {
        demandFault(error);
      }
      this.endOne(machine, this.random.chance(0.5));
    }
  }

  private startAll(): void {
    for (const index of this.machines.keys()) this.start(index);
  }

  private backUp(): void {
    if (this.machines.some(({ disk }) => disk.dead)) return;
    this.say(() => 'a backup');
    this.report.backups++;
    this.backup = { machines: this.machines.map((machine) => machine.copy()), model: this.model.copy() };
  }

  private restore(): void {
    const { backup } = this;
    if (backup === undefined) return;
    this.say(() => 'the backup is restored');
    this.report.restores++;
    this.endAll();
    this.model = backup.model.copy();
    const { length } = backup.machines;
    this.watchers?.allEnded();
    this.setMachines(backup.machines.map((copy, index) => this.createMachine(index, length, copy)));
    this.startAll();
  }

  /** A start with another number of shards: until the move is over, the old stores count. */
  private reshard(): void {
    const count = this.random.pick([1, 2, 3].filter((other) => other !== this.machines.length));
    this.say(() => `from ${this.machines.length} shards to ${count}`);
    this.endAll();
    const next = Array.from({ length: count }, (_, index) => this.createMachine(index, count));
    if (this.moveInto(next)) {
      this.report.moves++;
      this.watchers?.allEnded();
      this.setMachines(next);
    }
    this.startAll();
  }

  private moveInto(next: readonly Machine<Place>[]): boolean {
    const { machines, now, random } = this;
    const all = [...machines, ...next];
    for (const { disk } of all) {
      disk.weather = this.weather;
      if (random.chance(this.crashes)) disk.crashWithin(100);
    }
    try {
      for (const machine of all) machine.openStore(now);
      for (let n = 0; n < this.model.size; n++) this.lookAfterStart(n, machines[this.ownerOf(n)]);
      const to = next.map(({ store }) => store);
      moveBindings(
        machines.map(({ store }) => store),
        to,
        SECRET,
        () => {},
        () => now,
      );
      for (const { store } of all) store.close();
      if (all.some(({ disk }) => disk.dead)) throw new Crash('in the middle of the move');
    } catch (error) {
      demandFault(error);
      this.say(() => `  the move failed: ${error instanceof Error ? error.message : error}`);
      for (const machine of machines) this.endOne(machine, random.chance(0.5));
      return false;
    }
    for (const machine of next) machine.end(random.chance(0.5));
    return true;
  }

  /** A start finds the clock far ahead, so that what has run out stays; later the clock proves right, or is set back. */
  private setClock(): void {
    if (this.ahead > 0) return this.setClockRight();
    this.report.clocks++;
    this.ahead = this.random.pick([2, 30, 720]) * 60 * MINUTE;
    this.say(() => `the clock is ${this.ahead} ms ahead`);
    this.endAll();
    this.now += this.ahead;
    this.clock.holds = true;
    this.startAll();
  }

  private setClockBackBy(ms: number): void {
    this.ahead = ms;
    for (let n = 0; n < this.model.size; n++) this.writtenAhead.add(n);
    this.setClockRight(true);
  }

  private setClockRight(isBack = this.random.chance(0.5)): void {
    this.say(() => (isBack ? `the clock is set back by ${this.ahead} ms` : 'the clock was right'));
    if (isBack) {
      this.watchers?.setBack(this.ahead);
      this.now -= this.ahead;
      this.clock.setBacks++;
      for (const n of this.writtenAhead) this.skewed.add(n);
      for (const phone of this.phones) phone.last = null;
      this.calls?.forget();
      this.sleepers?.forgetAll();
    }
    this.writtenAhead.clear();
    this.ahead = 0;
    this.clock.holds = false;
  }

  // --- what is held

  private lookAfterStart(n: number, machine: Machine<Place>): void {
    const found = machine.read(this.aors[n].key);
    if (found === -1) return;
    const there = this.live(found);
    const allowed = this.model.allowed(n).map((bindings) => this.live(bindings));
    if (!allowed.some((one) => areSame(one, there)) && !this.model.mayComeBack(n, found, this.skewed.has(n)))
      this.fail(`AOR ${n} after a start: "${textOf(there)}" instead of "${allowed.map(textOf).join('" or "')}"`);
    this.model.shown(n, found, true);
  }

  private look(n: number): void {
    const machine = this.machines[this.ownerOf(n)];
    if (machine.disk.dead) return;
    const found = machine.read(this.aors[n].key);
    if (found === -1 || machine.disk.dead) return;
    const there = this.live(found);
    const kept = this.live(this.model.kept(n));
    if (areSame(there, kept)) return;
    if (!this.model.mayComeBack(n, found, this.skewed.has(n)))
      this.fail(`AOR ${n}: "${textOf(there)}" instead of "${textOf(kept)}"`);
    this.model.shown(n, found, false);
  }

  private lookAtAll(): void {
    for (let n = 0; n < this.model.size; n++) this.look(n);
  }

  private checkCounters(index: number): void {
    const machine = this.machines[index];
    if (machine.disk.dead || machine.disk.weather.read > 0) return;
    let count = 0;
    let bindings = 0;
    for (let n = 0; n < this.model.size; n++) {
      if (this.ownerOf(n) !== index) continue;
      if (this.mayBeGone(n)) return;
      const { length } = this.model.kept(n);
      bindings += length;
      if (length > 0) count++;
    }
    const { store } = machine;
    if (store.quarantined > 0) return;
    if (store.aors !== count || store.bindings !== bindings)
      this.fail(
        `shard ${index} counts ${store.aors} AORs, ${store.bindings} bindings; ${count}, ${bindings} are there`,
      );
  }

  /** The faults end: everybody is served within a bound; then everything runs out, and no shard has anything left to do. */
  private async end(): Promise<void> {
    for (const machine of this.machines) await machine.checkpointing;
    this.say(() => 'from now on it is calm');
    Object.assign(this.weather, CALM);
    this.crashes = 0;
    this.flips = 0;
    this.ringsFull = 0;
    if (this.ahead > 0) this.setClockRight();
    for (const index of this.machines.keys()) {
      this.endOne(this.machines[index], this.random.chance(0.5));
      this.start(index);
    }
    this.rules = { ...this.rules, contactsMax: 30 };
    this.second?.open();
    this.sleepers?.open();
    for (const machine of this.machines) machine.configure();
    if (this.isWide) this.forgetOldConnections();
    this.watchersCatchUp();
    if (this.isWide && this.watchers !== null) this.setClockBackBy(10 * MINUTE);
    for (const phone of this.phones) if (!this.without.phones?.includes(phone.host)) this.serve(phone);
    this.lookAtAll();
    this.tellAll();
    if (this.isWide) this.cutOffAll();
    this.now += 3 * 60 * MINUTE;
    this.say(() => 'everything runs out');
    for (const [index, machine] of this.machines.entries()) this.drain(index, machine);
    this.watchers?.checkOver();
    for (const machine of this.machines) {
      this.report.checkpoints += machine.checkpoints;
      machine.store.close();
    }
  }

  /** Each who may watch, and does not hear everything, subscribes. */
  private watchersCatchUp(): void {
    if (this.watchers === null) return;
    this.watchers.isCalm = true;
    for (const note of this.watchers.catchUp()) {
      this.runBatch(note.host % this.machines.length, [this.postNote(note)]);
      this.deliver();
      this.hearWatchers();
      this.now += 100;
    }
  }

  /** Within the least time between two NOTIFYs, and a little, behind the last change, all who hear everything know what there is. */
  private tellAll(): void {
    if (this.watchers === null) return;
    for (let quiet = 0; quiet < 8; quiet++) {
      const { commits } = this.report;
      this.now += 1000;
      for (const index of this.machines.keys()) this.runBatch(index, []);
      this.hearWatchers();
      if (this.report.commits > commits) quiet = -1; // something has run out
    }
    this.report.watching += this.watchers.checkAll();
  }

  /** All connections have ended with the processes: what lives by those of before the start goes in the background, soon behind the grace. */
  private forgetOldConnections(): void {
    const livesBy = ({ flow }: Bound) => flow !== 0;
    if (!this.phones.some(({ isStream }) => isStream)) return;
    const due = this.now + this.graceS * 1000;
    this.workUntil(due + 2000);
    for (let n = 0; n < this.model.size; n++) {
      if (!this.model.kept(n).some(livesBy)) continue;
      const found = this.machines[this.ownerOf(n)].read(this.aors[n].key);
      if (found !== -1 && found.some(({ flow }) => flow !== 0))
        this.fail(`AOR ${n} keeps bindings of connections of before the start: ${textOf(found)}`);
    }
  }

  /** Shards do what they have to do by themselves. */
  private workUntil(end: number): void {
    for (;;) {
      const waits = this.machines.map((machine) => machine.msToNextTick(this.now)).filter((wait) => wait >= 0);
      const wait = Math.min(...waits);
      if (this.now + wait >= end) break;
      this.now += wait;
      for (const [index, machine] of this.machines.entries())
        if (machine.msToNextTick(this.now) === 0) this.runBatch(index, []);
      this.hearWatchers();
    }
    this.now = end;
  }

  private serve(phone: Phone): void {
    for (let asks = 0; ; asks++) {
      if (asks === ASKS_MAX) this.fail(`${phone.user} is not served in calm weather`);
      if (phone.isStream && phone.flow === 0) this.alive.add((phone.flow = ++this.flows));
      const request = phone.ask('bind', 600, this.random);
      this.runBatch(phone.host % this.machines.length, [this.send(request)]);
      this.deliver();
      this.hearWatchers();
      this.usersArrive(true);
      if (request.answer.startsWith('SIP/2.0 200')) return;
      this.now += 1000;
    }
  }

  /** All connections end: what lives by them goes long before it would run out, though at first the disk takes nothing. */
  private cutOffAll(): void {
    for (const phone of this.phones) {
      if (phone.flow === 0) continue;
      this.alive.delete(phone.flow);
      for (const machine of this.machines) machine.flowsEnded([phone.flow], this.now);
      phone.flow = 0;
    }
    const from = this.now;
    const due = from + this.graceS * 1000;
    for (let now = from; now < due + 5000; now += 50) {
      this.now = now;
      for (const [index, machine] of this.machines.entries()) {
        machine.disk.full = now < due + 1000;
        if (machine.msToNextTick(now) === 0) this.runBatch(index, []);
      }
      this.hearWatchers();
    }
    for (let n = 0; n < this.model.size; n++) {
      const found = this.machines[this.ownerOf(n)].read(this.aors[n].key);
      if (found === -1 || found.some(({ flow }) => flow !== 0))
        this.fail(`AOR ${n} keeps bindings of connections that have ended`);
    }
  }

  private drain(index: number, machine: Machine<Place>): void {
    let spins = 0;
    const ends = this.endOf(index);
    for (let passes = 0; passes < 20_000; passes++) {
      const wait = machine.msToNextTick(this.now);
      if (wait < 0) break;
      spins = wait === 0 ? spins + 1 : 0;
      if (spins > SPINS_MAX) this.fail(`shard ${index} spins`);
      this.now += wait;
      this.runBatch(index, []);
      this.hearWatchers();
      if (this.now > ends + MINUTE && machine.store.bindings > 0)
        this.fail(`shard ${index} keeps bindings ${this.now - ends} ms too long`);
    }
    const { store } = machine;
    if (store.aors + store.bindings > 0) this.fail(`shard ${index}: ${store.bindings} bindings never run out`);
    if (machine.msToNextTick(this.now) !== -1) this.fail(`shard ${index} never comes to rest`);
  }

  /** When the last binding of a shard goes. */
  private endOf(index: number): number {
    let end = this.now;
    for (let n = 0; n < this.model.size; n++)
      if (this.ownerOf(n) === index)
        for (const one of this.model.kept(n))
          end = Math.max(end, one.device === '' ? one.expiresAt : (this.sleepers?.endOf(one) ?? 0));
    return end;
  }

  say(line: () => string): void {
    this.trace?.(`${this.turn} ${new Date(this.now).toISOString().slice(5, 19)}: ${line()}`);
  }

  fail(what: string): never {
    throw new Error(`turn ${this.turn}: ${what}`);
  }
}

const NONE: ReadonlySet<Place> = new Set();
const NOBODY: Back<Place> = { inVain: NONE, woken: NONE };

/** Number of the AOR that it is about. */
function numberIn({ request, letter, note }: Place): number {
  return request?.phone.n ?? letter?.n ?? note?.n ?? 0;
}

function storyOfPlace({ request, letter, note }: Place): string {
  if (note !== null) return noteStoryOf(note);
  return request !== null ? storyOf(request) : letter !== null ? letterStoryOf(letter) : '';
}

/** Faults of the simulated disk may come; anything else is a fault of the code. */
function demandFault(error: unknown): void {
  if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
}
