// The world of one simulation: phones, network and servers, and the invariants that hold between what phones were told and
// what the stores hold. A violated invariant throws.

import { type StoredBinding, storedBindings } from '../../support/stored-bindings.ts';
import { Network } from './network.ts';
import { Phone, type World } from './phone.ts';
import { Random } from './random.ts';
import { type Listener, Servers } from './servers.ts';
import { Timeline } from './timeline.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly phones: number;
  readonly shards: number;
  readonly minutes: number;
  /** Whether shards die now and then. */
  readonly restarts: boolean;
  /** Whether commits settle later than they are handed over. */
  readonly late?: boolean;
}

const CHECK_EVERY_MS = 5000;
/** A binding that has run out leaves the store within this time, failed commits included. */
const SWEPT_WITHIN_MS = 20_000;
/** The transaction of a request surely lives this long; the same request then draws the same bytes. */
const REPLAYED_FOR_MS = 31_000;
const FETCHER_HOST = 0xfffffe;

export class Simulation implements World, Listener {
  readonly timeline = new Timeline(Date.UTC(2026, 0, 1));
  readonly random: Random;
  readonly network: Network;
  readonly servers: Servers;
  readonly phones: Phone[];
  epoch = 0;
  checks = 0;
  replays = 0;
  private readonly options: SimulationOptions;
  private readonly byAddress = new Map<string, Phone>();
  /** Who asked, by Call-ID and CSeq. */
  private readonly asker = new Map<string, Phone>();
  /** When a request acted, by Call-ID, CSeq and contact. */
  private readonly actedAt = new Map<string, number>();
  private readonly answerTo = new Map<string, { readonly text: string; readonly at: number }>();
  /** By shard: bindings in its store when it last came up. */
  private readonly inherited: number[];
  private fetched = '';

  constructor(options: SimulationOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.network = new Network(this.timeline, this.random);
    this.servers = new Servers(options.shards, this.timeline, this.random, this, { late: options.late === true });
    this.inherited = this.servers.stores.map(() => 0);
    this.phones = this.makePhones();
    for (const phone of this.phones) this.byAddress.set(`${phone.options.host}:${phone.port}`, phone);
  }

  /** Rough times, then calm ones in which every phone must succeed, then silence in which everything runs out. */
  run(): void {
    const { random, timeline, phones } = this;
    for (const phone of phones) phone.start(random.between(0, 60_000));
    this.live(this.options.minutes * 60_000);
    this.network.calm();
    this.servers.calm();
    for (const phone of phones) phone.settle();
    this.live(40_000);
    for (const phone of phones) if (!phone.settled) throw new Error(`${phone.options.name} never succeeded`);
    this.fetchAll();
    timeline.runUntil(timeline.now + 700_000);
    this.checkEmpty();
  }

  private live(ms: number): void {
    const end = this.timeline.now + ms;
    while (this.timeline.now < end) {
      this.timeline.runUntil(Math.min(end, this.timeline.now + CHECK_EVERY_MS));
      if (this.options.restarts && this.checks % 30 === 15)
        this.servers.restart(this.random.between(0, this.options.shards - 1));
      const { aor } = this.random.pick(this.phones).options;
      for (const phone of this.phones) if (phone.options.aor === aor) phone.hurry(); // into one batch, often
      this.check();
    }
  }

  // --- World

  send(phone: Phone, text: string): void {
    const datagram = { bytes: Buffer.from(text, 'latin1'), host: phone.options.host, port: phone.sourcePort };
    this.network.carry(() => this.servers.arrive(datagram));
  }

  asked(phone: Phone, callId: string, cseq: number): void {
    this.asker.set(`${callId} ${cseq}`, phone);
  }

  // --- Listener

  answered(text: string, host: number, port: number): void {
    if (host === FETCHER_HOST) {
      this.fetched = text;
      return;
    }
    const phone = this.byAddress.get(`${host}:${port}`);
    if (phone === undefined) throw new Error(`an answer to nobody at ${host}:${port}\n${text}`);
    const request = `${/^Call-ID: (.*)\r$/m.exec(text)?.[1]} ${/^CSeq: (\d+)/m.exec(text)?.[1]}`;
    if (this.asker.get(request) !== phone) throw new Error(`not the phone that asked: ${phone.options.name}\n${text}`);
    const { now } = this.timeline;
    const first = this.answerTo.get(request);
    if (first === undefined || now - first.at > REPLAYED_FOR_MS) this.answerTo.set(request, { text, at: now });
    else if (first.text === text) this.replays++;
    else throw new Error(`two answers to one request:\n${first.text}\n${text}`);
    this.network.carry(() => phone.receive(text));
  }

  restarted(index: number): void {
    this.epoch++;
    this.answerTo.clear();
    this.inherited[index] = countOf(storedBindings(this.servers.stores[index]));
    for (const phone of this.phones) phone.serverRestarted();
  }

  // --- invariants

  private check(): void {
    this.checks++;
    const stored = new Map<string, StoredBinding[]>();
    for (const [index, store] of this.servers.stores.entries()) {
      const bindings = storedBindings(store);
      this.checkCounters(index, bindings);
      for (const [aor, list] of bindings) {
        if (stored.has(aor)) throw new Error(`two shards hold ${aor}`);
        stored.set(aor, list);
        for (const binding of list) this.checkAskedFor(aor, binding);
      }
    }
    for (const phone of this.phones) this.checkBelief(phone, stored.get(phone.options.aor) ?? []);
  }

  private checkCounters(index: number, bindings: ReadonlyMap<string, readonly StoredBinding[]>): void {
    const counter = (name: Parameters<Servers['counter']>[1]): number => this.servers.counter(index, name);
    const changes = counter('registered') - counter('unregistered') - counter('expired') - counter('evicted');
    const told = [counter('bindings'), counter('aors'), this.inherited[index] + changes];
    const count = countOf(bindings);
    const truth = [count, bindings.size, count];
    if (told.join() !== truth.join()) throw new Error(`shard ${index}: counters say ${told}, the store ${truth}`);
  }

  /** Nothing is there that was never asked for, has long run out, or acted twice. */
  private checkAskedFor(aor: string, binding: StoredBinding): void {
    const { uri, callId, cseq, expiresAt, refreshedAt } = binding;
    const phone = this.asker.get(`${callId} ${cseq}`);
    if (phone === undefined || phone.options.aor !== aor || !phone.options.contacts.includes(uri))
      throw new Error(`nobody asked for this: ${aor} ${JSON.stringify(binding)}`);
    if (expiresAt < this.timeline.now - SWEPT_WITHIN_MS)
      throw new Error(`not swept: ${aor} ${JSON.stringify(binding)}`);
    const key = `${callId} ${cseq} ${uri}`;
    const before = this.actedAt.get(key) ?? refreshedAt;
    if (before !== refreshedAt) throw new Error(`acted at ${before} and again at ${refreshedAt}: ${key}`);
    this.actedAt.set(key, refreshedAt);
  }

  /** What a phone has been told, and nothing has changed since, is so. */
  private checkBelief(phone: Phone, stored: readonly StoredBinding[]): void {
    const { belief, options } = phone;
    if (phone.busy || belief.kind === 'unknown') return;
    const { now } = this.timeline;
    for (const uri of options.contacts) {
      const binding = stored.find((one) => one.uri === uri && one.expiresAt > now);
      if (belief.kind === 'unbound') {
        if (binding !== undefined) throw new Error(`${options.name} was told it is gone: ${JSON.stringify(binding)}`);
      } else if (binding === undefined) {
        if (belief.from > now)
          throw new Error(`${options.name} was told ${JSON.stringify(belief)}; ${uri} is not there`);
      } else {
        const { callId, cseq, expiresAt } = binding;
        const right =
          callId === belief.callId && cseq === belief.cseq && belief.from <= expiresAt && expiresAt <= belief.to;
        if (!right)
          throw new Error(`${options.name} was told ${JSON.stringify(belief)}; is ${JSON.stringify(binding)}`);
      }
    }
  }

  /** Asks for every AOR's bindings as a client would: they are the phones' contacts, with the seconds they have left. */
  private fetchAll(): void {
    const aors = new Set(this.phones.map((phone) => phone.options.aor));
    for (const aor of aors) {
      const stored = new Map(this.servers.stores.flatMap((store) => [...storedBindings(store)]));
      const { now } = this.timeline;
      this.servers.arrive({ bytes: Buffer.from(fetchOf(aor)), host: FETCHER_HOST, port: 5060 });
      this.fetched = '';
      this.timeline.runUntil(now + 100);
      const listed = this.fetched
        .split('\r\n')
        .filter((line) => line.startsWith('Contact: '))
        .map((line) => /^Contact: <(.*)>;expires=(\d+)$/.exec(line)?.slice(1) ?? [line]);
      const bindings = stored.get(aor) ?? [];
      const contacts = this.phones
        .filter((phone) => phone.options.aor === aor)
        .flatMap((phone) => phone.options.contacts);
      const wrong = listed.some(([uri, seconds], i) => {
        const left = (bindings[i].expiresAt - now) / 1000;
        return uri !== bindings[i].uri || Number(seconds) > left || Number(seconds) < Math.floor(left - 0.1);
      });
      if (
        wrong ||
        listed
          .map(([uri]) => uri)
          .sort()
          .join() !== contacts.sort().join()
      )
        throw new Error(`${aor}: expected ${contacts}\n${JSON.stringify(bindings)}\n${this.fetched}`);
    }
  }

  private checkEmpty(): void {
    for (const [index, store] of this.servers.stores.entries()) {
      const bindings = storedBindings(store);
      this.checkCounters(index, bindings);
      if (bindings.size > 0) throw new Error(`still there: ${[...bindings.keys()]}`);
      if (this.servers.msToNextTick(index) !== -1) throw new Error('a timer without a binding');
    }
  }

  /** AORs of one to three phones, phones of one to three contacts. */
  private makePhones(): Phone[] {
    const { random } = this;
    const phones: Phone[] = [];
    for (let account = 0; phones.length < this.options.phones; account++) {
      const devices = random.pick([1, 1, 2, 3]);
      for (let device = 0; device < devices; device++) {
        const name = `p${account}d${device}`;
        const lines = random.pick([1, 1, 1, 2, 3]);
        const options = {
          name,
          aor: `user${account}@example.com`,
          contacts: Array.from({ length: lines }, (_, line) => `sip:${name}l${line}@192.168.1.20:5060;transport=udp`),
          host: phones.length + 1,
          nat: random.chance(0.5),
          alone: devices === 1,
          askS: random.pick([30, 60, 90, 120, 300, 600]),
        };
        phones.push(new Phone(options, this));
      }
    }
    return phones;
  }
}

function countOf(bindings: ReadonlyMap<string, readonly StoredBinding[]>): number {
  let count = 0;
  for (const list of bindings.values()) count += list.length;
  return count;
}

let fetches = 0;

function fetchOf(aor: string): string {
  const n = ++fetches;
  return [
    'REGISTER sip:example.com SIP/2.0',
    `Via: SIP/2.0/UDP 10.255.255.254:5060;branch=z9hG4bKfetch${n}`,
    'Max-Forwards: 70',
    `From: <sip:${aor}>;tag=fetch${n}`,
    `To: <sip:${aor}>`,
    `Call-ID: fetch${n}`,
    'CSeq: 1 REGISTER',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}
