// The fate of one frame that is published: tried until it is known whether it stands in the stream. A time-out is never taken for a no
// (decisions/0115). Pure: what happened comes in, what to do goes out, time is an argument.

/** Its fate is not known yet. */
export const FATE_OPEN = 0;
/** It stands in the stream, at `sequence`. */
export const FATE_HELD = 1;
/** Another node's frame stands there, so that it never will; or nobody can say. */
export const FATE_LOST = 2;
/** What stands there is nobody's: it is published for the next sequence. */
export const FATE_PASSED = 3;
/** For two seconds the stream has been shorter than what was acknowledged. */
export const FATE_STREAM_SHORT = 4;
/** The engine has broken its promise. */
export const FATE_BROKEN = 5;

/** Who wrote the message found. */
export type Writer = 'mine' | 'another' | 'stranger';

/** So often the message that refused it is asked for and not there, before that is given up. */
const MISSED_MAX = 10;
const SHORT_MS = 2000;
const SHORT_ANSWERS = 4;

/** Whether a stream has become shorter than it was: a leader that is late says so, too, but not for long. */
export class Shortness {
  private since = 0;
  private answers = 0;

  /** It was short, once more; true: for so long that it is. */
  seen(now: number): boolean {
    if (this.answers++ === 0) this.since = now;
    return this.answers >= SHORT_ANSWERS && now - this.since >= SHORT_MS;
  }

  end(): void {
    this.answers = 0;
  }
}

export interface PublicationEffects {
  /** Seals the frame for the sequence and publishes it behind the one before. */
  publish(id: number, sequence: number): void;
  read(id: number, sequence: number): void;
  changeServer(): void;
}

/** Without an outcome it is tried again, at another server. */
const ATTEMPT_MS = 500;
const RETRY_MS = 100;
/** A server that says for so long that it cannot tell may be cut off from the others. */
const FAILING_MS = 1000;

export class Publication {
  sequence: number;
  /** When it was published first. */
  readonly since: number;
  private readonly effects: PublicationEffects;
  private readonly nextId: () => number;
  /** Of its attempts for this sequence. */
  private id = 0;
  /** Of the question what stands there; 0: none is asked. */
  private question = 0;
  private triedAt = 0;
  /** When to try again; 0: an outcome is awaited. */
  private retryAt = 0;
  /** Since when it has heard of nothing but failures; 0: it has not. */
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

  /** @param last sequence, -1 where it is not known */
  refused(id: number, last: number, now: number): number {
    if (id !== this.id) return FATE_OPEN;
    this.failingSince = 0;
    if (last < 0 || last >= this.sequence) this.ask(now);
    else if (last === this.sequence - 1)
      this.retryLater(now); // what was in flight, or a moment ago
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

  /** It is not there: it was not yet, or is not any more. Then what stands there cannot be known by asking. */
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
