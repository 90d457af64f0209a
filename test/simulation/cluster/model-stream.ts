// A stream as JetStream has it, in virtual time: one leader that checks what is expected against what it has in flight, a quorum that
// makes it last, acknowledgements that are lost, leaders that go and take along what was in flight, answers that are out of date.

import type { Stream, StreamSink } from '../../../src/cluster/stream.ts';
import type { Random } from '../shards/random.ts';
import type { Timeline } from '../shards/timeline.ts';

/** How rough it is. */
export interface Weather {
  /** A request or its answer is lost. */
  readonly loss: number;
  /** What a leader has in flight is acknowledged at once: nobody waits. */
  readonly instant: number;
  /** An answer tells of an earlier moment. */
  readonly stale: number;
  /** A message is left out of what a follower is told. */
  readonly gap: number;
  /** The leader dies with a message in flight. */
  readonly death: number;
}

export const CALM: Weather = { loss: 0, instant: 0.5, stale: 0, gap: 0, death: 0 };
export const ROUGH: Weather = { loss: 0.05, instant: 0.4, stale: 0.1, gap: 0.01, death: 0.01 };

interface InFlight {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  readonly committed: (sequence: number) => void;
}

export class ModelStream {
  weather = ROUGH;
  /** Message n has sequence n + 1. */
  readonly messages: Uint8Array[] = [];
  /** The oldest that is kept. */
  first = 1;
  elections = 0;
  refusals = 0;
  droppedInFlight = 0;
  readonly timeline: Timeline;
  readonly random: Random;
  private inFlight: InFlight[] = [];
  private term = 0;
  private leaderless = false;
  private readonly clients = new Set<ModelClient>();
  /** Is told of each message that lasts. */
  private readonly watch: (sequence: number, bytes: Uint8Array) => void;

  constructor(timeline: Timeline, random: Random, watch: (sequence: number, bytes: Uint8Array) => void = () => {}) {
    this.timeline = timeline;
    this.random = random;
    this.watch = watch;
  }

  get last(): number {
    return this.messages.length;
  }

  open(woken: () => void): ModelClient {
    const client = new ModelClient(this, woken);
    this.clients.add(client);
    return client;
  }

  leave(client: ModelClient): void {
    this.clients.delete(client);
  }

  /** The leader dies; another is chosen after some time. What it had in flight is lost, or not. */
  loseLeader(ms: number): void {
    this.elections++;
    const term = ++this.term;
    this.leaderless = true;
    const survivors = this.random.between(0, this.inFlight.length);
    const { inFlight } = this;
    this.inFlight = [];
    for (const { bytes } of inFlight.slice(0, survivors)) this.store(bytes); // and nobody is told
    this.droppedInFlight += inFlight.length - survivors;
    this.timeline.after(ms, () => {
      if (this.term === term) this.leaderless = false;
    });
  }

  /** Messages before a sequence are not kept any more. */
  trim(first: number): void {
    this.first = Math.max(this.first, Math.min(first, this.last + 1));
  }

  /** Somebody without the secret publishes. */
  intrude(bytes: Uint8Array): void {
    if (!this.leaderless && this.inFlight.length === 0) this.store(bytes);
  }

  // --- for clients

  get hasLeader(): boolean {
    return !this.leaderless;
  }

  publish(bytes: Uint8Array, expected: number, tell: (answer: { ack: number } | { refusedBy: number }) => void): void {
    if (this.leaderless) return;
    const end = this.last + this.inFlight.length;
    if (expected !== end) {
      this.refusals++;
      tell({ refusedBy: this.random.chance(0.2) ? -1 : end });
      return;
    }
    const message = { bytes, sequence: end + 1, committed: (sequence: number) => tell({ ack: sequence }) };
    this.inFlight.push(message);
    if (this.random.chance(this.weather.death)) return this.loseLeader(this.random.between(50, 9000));
    if (this.random.chance(this.weather.instant)) return this.commitUpTo(message);
    const { term } = this;
    this.timeline.after(this.random.between(1, 40), () => {
      if (this.term === term) this.commitUpTo(message);
    });
  }

  private commitUpTo(message: InFlight): void {
    if (!this.inFlight.includes(message)) return;
    for (let next = this.inFlight.shift(); next !== undefined; next = this.inFlight.shift()) {
      this.store(next.bytes);
      next.committed(this.last);
      if (next === message) return;
    }
  }

  private store(bytes: Uint8Array): void {
    this.messages.push(bytes);
    this.watch(this.last, bytes);
    for (const client of this.clients) client.told();
  }
}

type Event = (sink: StreamSink) => void;

/** One node's connection. */
export class ModelClient implements Stream {
  /** Nothing comes and goes. */
  cut = false;
  bytesMax = 1 << 20;
  private readonly stream: ModelStream;
  private readonly woken: () => void;
  private inbox: Event[] = [];
  private closed = false;
  /** Next message to be told; 0: none is. */
  private next = 0;
  private following = 0;
  private delivery = false;

  constructor(stream: ModelStream, woken: () => void) {
    this.stream = stream;
    this.woken = woken;
  }

  get connected(): boolean {
    return !this.cut;
  }

  publish(id: number, bytes: Uint8Array, length: number, expected: number): void {
    const copy = bytes.slice(0, length);
    const answer = (event: Event) => this.answer(event);
    this.request(id, () =>
      this.stream.publish(copy, expected, (outcome) => {
        if ('ack' in outcome) answer((sink) => sink.acknowledged(id, outcome.ack));
        else answer((sink) => sink.refused(id, outcome.refusedBy));
      }),
    );
  }

  read(id: number, sequence: number): void {
    const { stream } = this;
    this.request(id, () => {
      const bytes = sequence >= stream.first ? stream.messages[sequence - 1] : undefined;
      if (bytes === undefined || this.isStale()) this.answer((sink) => sink.missing(id, sequence));
      else this.answer((sink) => sink.found(id, sequence, bytes, bytes.length));
    });
  }

  bounds(id: number): void {
    const { stream } = this;
    this.request(id, () => {
      const { first } = stream;
      const last = Math.max(first - 1, stream.last - (this.isStale() ? stream.random.between(1, 3) : 0));
      this.answer((sink) => sink.bounds(id, first, last));
    });
  }

  follow(from: number): void {
    this.following++;
    this.next = from;
    this.told();
  }

  unfollow(): void {
    this.following++;
    this.next = 0;
  }

  changeServer(): void {}

  poll(sink: StreamSink): number {
    const { inbox } = this;
    this.inbox = [];
    for (const event of inbox) event(sink);
    return inbox.length;
  }

  wait(ms: number): number {
    return this.inbox.length > 0 ? 0 : ms;
  }

  msToNext(): number {
    return -1;
  }

  close(): void {
    this.closed = true;
    this.stream.leave(this);
  }

  /** There may be a message to be told. */
  told(): void {
    const { stream } = this;
    if (this.next === 0 || this.delivery || this.closed) return;
    this.delivery = true;
    const { following } = this;
    stream.timeline.after(stream.random.between(0, 20), () => {
      this.delivery = false;
      if (this.closed || this.next === 0) return;
      if (this.cut) return this.later();
      if (following !== this.following) return this.told();
      this.next = Math.max(this.next, stream.first);
      for (; this.next <= stream.last; this.next++) {
        if (stream.random.chance(stream.weather.gap)) continue;
        const sequence = this.next;
        const bytes = stream.messages[sequence - 1];
        this.inbox.push((sink) => {
          if (following === this.following) sink.message(sequence, bytes, bytes.length);
        });
      }
      this.woken();
    });
  }

  private later(): void {
    this.stream.timeline.after(200, () => this.told());
  }

  private isStale(): boolean {
    return this.stream.random.chance(this.stream.weather.stale);
  }

  /** A request is on its way; where there is no leader it may draw a refusal, or nothing. */
  private request(id: number, arrives: () => void): void {
    const { stream } = this;
    if (this.isLost()) return;
    const deliver = () => {
      if (stream.hasLeader) arrives();
      else if (stream.random.chance(0.5)) this.answer((sink) => sink.failed(id, 'no leader'));
    };
    if (stream.random.chance(stream.weather.instant)) deliver();
    else stream.timeline.after(stream.random.between(0, 15), deliver);
  }

  private answer(event: Event): void {
    const { stream } = this;
    if (this.isLost()) return;
    const arrive = () => {
      if (this.closed || this.cut) return;
      this.inbox.push(event);
      this.woken();
    };
    if (stream.random.chance(stream.weather.instant)) arrive();
    else stream.timeline.after(stream.random.between(0, 15), arrive);
  }

  private isLost(): boolean {
    return this.cut || this.closed || this.stream.random.chance(this.stream.weather.loss);
  }
}
