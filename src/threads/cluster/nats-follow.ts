// Following a stream: a push consumer of JetStream delivers every message from a sequence on. A consumer that has lost a message, is
// silent or could not be made is replaced, from the same position.

import {
  consumerEndSubject,
  consumerFailure,
  consumerRequest,
  consumerSubject,
  deliveredAt,
} from '../../transport/nats/jet-stream.ts';
import type { NatsReader, NatsWriter } from '../../transport/nats/nats-wire.ts';

/** An idle consumer sends a heartbeat this often; after three missed ones it counts as dead. */
const HEARTBEAT_MS = 500;
const SILENT_MS = HEARTBEAT_MS * 3;
/** Pause before the next attempt at a consumer that could not be made. */
const RETRY_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;
/** Subscription numbers above it are consumers'. */
export const FIRST_SID = 1;

export class NatsFollow {
  /** Next sequence to hand over; 0: it does not follow. */
  private wanted = 0;
  /** Consumers made so far: only the newest counts. */
  private number = 0;
  private isMade = false;
  private delivered = 0;
  private dueAt = NEVER;
  private readonly stream: string;
  private readonly inbox: string;
  private readonly writer: NatsWriter;
  private readonly failed: (why: string) => void;

  constructor(stream: string, inbox: string, writer: NatsWriter, failed: (why: string) => void) {
    this.stream = stream;
    this.inbox = inbox;
    this.writer = writer;
    this.failed = failed;
  }

  /** When `work` is due next, monotonic ms. */
  get due(): number {
    return this.dueAt;
  }

  start(from: number, now: number): void {
    this.drop();
    this.wanted = from;
    this.dueAt = now;
  }

  stop(): void {
    this.drop();
    this.wanted = 0;
    this.dueAt = NEVER;
  }

  /** The connection is new: consumers of the former one deliver to nobody. */
  reconnected(now: number): void {
    this.isMade = false;
    if (this.wanted > 0) this.dueAt = now;
  }

  /** Makes a consumer if one is due. */
  work(now: number): void {
    if (now < this.dueAt || this.wanted === 0) return;
    if (this.isMade) this.failed('a consumer is silent');
    this.drop();
    this.number++;
    this.delivered = 0;
    this.isMade = true;
    this.dueAt = now + SILENT_MS;
    const { stream, inbox, number } = this;
    // A subject of its own: a server delivers to no wildcard, and a delivered message has the subject that it was published to.
    const deliverTo = `${inbox}-f.${number}`;
    this.writer.subscribe(deliverTo, FIRST_SID + number);
    const request = consumerRequest(stream, this.name, this.wanted, deliverTo, HEARTBEAT_MS);
    this.writer.publishText(consumerSubject(stream, this.name), `${inbox}.c.${number}`, request);
  }

  /** Whether a consumer was made. */
  made(number: number, json: string, now: number): void {
    if (number !== this.number) return;
    const failure = consumerFailure(json);
    if (failure === undefined) return;
    this.failed(failure);
    this.isMade = false;
    this.dueAt = now + RETRY_MS;
  }

  /** The sequence of a delivered message if it is the next one; 0 where there is none to hand over. */
  take(reader: NatsReader, bytes: Uint8Array, now: number): number {
    if (reader.sid - FIRST_SID !== this.number || !this.isMade) return 0;
    this.dueAt = now + SILENT_MS;
    if (reader.status(bytes) !== 0) {
      this.takeStatus(reader, bytes, now);
      return 0;
    }
    const at = deliveredAt(reader.reply(bytes));
    if (at === undefined) return 0;
    if (at.consumer !== this.delivered + 1) return this.lost(now);
    this.delivered = at.consumer;
    if (at.stream < this.wanted) return 0;
    this.wanted = at.stream + 1;
    return at.stream;
  }

  /** Flow control, and heartbeats, which carry the number of delivered messages. */
  private takeStatus(reader: NatsReader, bytes: Uint8Array, now: number): void {
    if (reader.replyEnd > 0) this.writer.publishText(reader.reply(bytes), '', '');
    const stalled = reader.header(bytes, 'Nats-Consumer-Stalled');
    if (stalled !== undefined) this.writer.publishText(stalled, '', '');
    const last = reader.header(bytes, 'Nats-Last-Consumer');
    if (last !== undefined && Number(last) !== this.delivered) this.lost(now);
  }

  private lost(now: number): 0 {
    this.isMade = false;
    this.dueAt = now;
    return 0;
  }

  private drop(): void {
    if (!this.isMade) return;
    this.isMade = false;
    this.writer.unsubscribe(FIRST_SID + this.number);
    this.writer.publishText(consumerEndSubject(this.stream, this.name), '', '');
  }

  /** A name that no other consumer of the stream has: the inbox differs between all connections. */
  private get name(): string {
    return `${this.inbox.replaceAll('.', '-')}-${this.number}`;
  }
}
