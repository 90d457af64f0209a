// The fate of one published frame: tried until it is known whether the stream has it. A time-out never counts as a refusal (decisions/0115). Pure:
// events come in, actions go out, time is an argument.

/** Its fate is unknown yet. */
export const FATE_OPEN = 0;
/** It is in the stream, at `sequence`. */
export const FATE_HELD = 1;
/** Another node's frame has its sequence, so it will never hold; or its fate cannot be known. */
export const FATE_LOST = 2;
/** A stranger's message has its sequence: it is published for the next sequence. */
export const FATE_PASSED = 3;
/** For two seconds the stream has ended before an acknowledged message. */
export const FATE_STREAM_SHORT = 4;
/** The engine has broken its promise. */
export const FATE_BROKEN = 5;

/** Writer of the message found. */
export type Writer = 'mine' | 'another' | 'stranger';

/** Requests for the message that refused it, without finding it, before the publication gives up. */
const MISSED_MAX = 10;
const SHORT_MS = 2000;
const SHORT_ANSWERS = 4;

/** Whether a stream has become shorter: a late leader reports that, too, but not for long. */
export class Shortness {
  private since = 0;
  private answers = 0;

  /** Notes that the stream was short again; true: it has been for so long that it must be. */
  seen(now: number): boolean {
    if (this.answers++ === 0) this.since = now;
    return this.answers >= SHORT_ANSWERS && now - this.since >= SHORT_MS;
  }

  end(): void {
    this.answers = 0;
  }
}

export interface PublicationEffects {
  /** Seals the frame for the sequence and publishes it after the one before. */
  publish(id: number, sequence: number): void;
  read(id: number, sequence: number): void;
  changeServer(): void;
}

/** Time without an outcome until the next attempt, at another server. */
const ATTEMPT_MS = 500;
const RETRY_MS = 100;
/** A server that reports failures for so long may be cut off from the others. */
const FAILING_MS = 1000;

export class Publication {
  sequence: number;
  /** Time of the first publication. */
  readonly since: number;
  private readonly effects: PublicationEffects;
  private readonly nextId: () => number;
  /** Id of its attempts for this sequence. */
  private id = 0;
  /** Id of the request for the message at this sequence; 0: none is open. */
  private question = 0;
  private triedAt = 0;
  /** Time of the next attempt; 0: an outcome is awaited. */
  private retryAt = 0;
  /** Time since which all outcomes were failures; 0: not so. */
  private failingSince = 0;
  private readonly shortness = new Shortness();
  private missed = 0;

  constructor(sequence: number, now: number, effects: PublicationEffects, nextId: () => number) {
    this.sequence = sequence;
    this.since = now;
    this.effects = effects;
    this.nextId = nextId;
    this.id = nextId();
    this.attempt(now);
  }

  acknowledged(id: number, sequence: number): number {
    if (id !== this.id) return FATE_OPEN;
    return sequence === this.sequence ? FATE_HELD : FATE_BROKEN;
  }

  /** @param last last sequence of the stream, -1: unknown */
  refused(id: number, last: number, now: number): number {
    if (id !== this.id) return FATE_OPEN;
    this.failingSince = 0;
    if (last < 0 || last >= this.sequence) this.ask(now);
    else if (last === this.sequence - 1)
      this.retryLater(now); // a message in flight, or from a moment ago
    else return this.short(now);
    return FATE_OPEN;
  }

  failed(id: number, now: number): void {
    if (id !== this.id && id !== this.question) return;
    this.retryLater(now);
    if (this.failingSince === 0) this.failingSince = now;
    if (now - this.failingSince < FAILING_MS) return;
    this.failingSince = 0;
    this.effects.changeServer();
  }

  found(id: number, writer: Writer, now: number): number {
    if (id !== this.question) return FATE_OPEN;
    if (writer === 'mine') return FATE_HELD;
    if (writer === 'another') return FATE_LOST;
    this.sequence++;
    this.missed = 0;
    this.failingSince = 0;
    this.id = this.nextId();
    this.attempt(now);
    return FATE_PASSED;
  }

  /** The message is missing: not stored yet, or dropped already. In the latter case no request can find it. */
  missing(id: number, now: number): number {
    if (id !== this.question) return FATE_OPEN;
    this.failingSince = 0;
    this.retryLater(now);
    return ++this.missed < MISSED_MAX ? FATE_OPEN : FATE_LOST;
  }

  tick(now: number): void {
    if (this.retryAt > 0) {
      if (now >= this.retryAt) this.attempt(now);
    } else if (now - this.triedAt >= ATTEMPT_MS) {
      this.effects.changeServer();
      this.attempt(now);
    }
  }

  msToNext(now: number): number {
    const at = this.retryAt > 0 ? this.retryAt : this.triedAt + ATTEMPT_MS;
    return Math.max(0, at - now);
  }

  private attempt(now: number): void {
    this.triedAt = now;
    this.retryAt = 0;
    this.question = 0;
    this.effects.publish(this.id, this.sequence);
  }

  private ask(now: number): void {
    this.triedAt = now;
    this.retryAt = 0;
    this.shortness.end();
    this.question = this.nextId();
    this.effects.read(this.question, this.sequence);
  }

  private retryLater(now: number): void {
    this.question = 0;
    this.retryAt = now + RETRY_MS;
  }

  private short(now: number): number {
    this.retryLater(now);
    return this.shortness.seen(now) ? FATE_STREAM_SHORT : FATE_OPEN;
  }
}
