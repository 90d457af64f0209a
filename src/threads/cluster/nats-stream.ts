// A shard's stream over NATS JetStream, for the shard's thread: publishes, asks the stream's leader, follows. Orders are written at
// once; `poll` hands over arrived messages.

import type { Stream, StreamSink } from '../../cluster/stream.ts';
import { logSubject, streamName } from '../../cluster/stream-names.ts';
import type * as abi from '../../transport/linux/linux-abi.ts';
import { type NatsInfo, NatsSocket, type NatsUser } from '../../transport/linux/linux-nats.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import {
  boundsOutcome,
  boundsSubject,
  EXPECTED_LAST,
  publishOutcome,
  readOutcome,
  readSubject,
} from '../../transport/nats/jet-stream.ts';
import type { NatsReader } from '../../transport/nats/nats-wire.ts';
import { FIRST_SID, NatsFollow } from './nats-follow.ts';
import { RepeatedLines } from './repeated-lines.ts';

/** Time that the stream's leader has for an answer. */
const ANSWER_MS = 1500;
const PAYLOAD_BYTES_MAX = 1 << 20;
const NO_SERVER = 'no connection to a NATS server';

/** A thread's access to NATS; structured clone takes it there. */
export interface NatsAccess {
  /** Memory of NatsAddresses. */
  readonly addresses: SharedArrayBuffer;
  /** Memory of a SharedLogin. */
  readonly login: SharedArrayBuffer;
  /** Name of the node, for the servers' lists of connections. */
  readonly node: string;
  /** Prefix of the subjects of answers: no connection of any node has the same. */
  readonly inbox: string;
  /** Where servers speak TLS: the token that the relay on loopback expects first. */
  readonly relayToken?: string;
}

export interface NatsStreamOptions {
  readonly cluster: string;
  readonly shard: number;
  readonly access: NatsAccess;
  readonly log: (level: 'info' | 'warn', event: string, fields: Record<string, unknown>) => void;
}

interface Question {
  readonly what: 'publish' | 'read' | 'bounds';
  readonly at: number;
  /** Sequence of the message asked for. */
  readonly sequence: number;
}

export class NatsStream implements Stream, NatsUser {
  private readonly options: NatsStreamOptions;
  private readonly stream: string;
  private readonly subject: string;
  private readonly inbox: string;
  private readonly socket: NatsSocket;
  private readonly follower: NatsFollow;
  private readonly asked = new Map<number, Question>();
  private readonly lines: RepeatedLines;
  /** Names of servers by number, of those that have sent one. */
  private readonly names = new Map<number, string>();
  /** Questions that can have no answer any more, for the next poll. */
  private readonly failures: { readonly id: number; readonly reason: string }[] = [];
  private payloadBytesMax = PAYLOAD_BYTES_MAX;
  private sink: StreamSink | undefined;
  private handed = 0;

  constructor(calls: abi.Calls, options: NatsStreamOptions) {
    const { cluster, shard, access, log } = options;
    const { node, inbox } = access;
    this.options = options;
    this.lines = new RepeatedLines(log);
    this.stream = streamName(cluster, shard);
    this.subject = logSubject(cluster, shard);
    this.inbox = inbox;
    this.socket = new NatsSocket(calls, { ...access, name: `aorta ${node} shard ${shard}` }, 0, this);
    this.follower = new NatsFollow(this.stream, inbox, this.socket.writer, (why) =>
      this.lines.tell('info', 'a consumer is made anew', { shard, why }, monotonicMs()),
    );
  }

  get connected(): boolean {
    return this.socket.isOpen;
  }

  /** Descriptor for poll(); -1 while there is no connection. */
  get fd(): number {
    return this.socket.fd;
  }

  /** Events that poll() waits for. */
  get events(): number {
    return this.socket.events;
  }

  /** Longest message that the server accepts, bytes. */
  get bytesMax(): number {
    return this.payloadBytesMax;
  }

  publish(id: number, bytes: Uint8Array, length: number, expected: number): void {
    if (!this.connected) return void this.failures.push({ id, reason: NO_SERVER });
    this.ask(id, 'publish', 0);
    const headers = `${EXPECTED_LAST}: ${expected}\r\n`;
    this.socket.writer.publish(this.subject, `${this.inbox}.p.${id}`, headers, bytes, length);
    this.socket.flush(monotonicMs());
  }

  read(id: number, sequence: number): void {
    this.ask(id, 'read', sequence);
    this.send(id);
  }

  bounds(id: number): void {
    this.ask(id, 'bounds', 0);
    this.send(id);
  }

  follow(from: number): void {
    this.follower.start(from, monotonicMs());
    if (this.connected) this.follower.work(monotonicMs());
    this.socket.flush(monotonicMs());
  }

  unfollow(): void {
    this.follower.stop();
  }

  changeServer(): void {
    if (this.connected) this.socket.leave('it does not answer', monotonicMs());
  }

  poll(sink: StreamSink): number {
    const now = monotonicMs();
    this.sink = sink;
    this.handed = 0;
    this.socket.owed = this.asked.size > 0;
    this.socket.work(now);
    this.expire(now);
    if (this.connected) this.follower.work(now);
    for (let next = this.failures.shift(); next !== undefined; next = this.failures.shift()) {
      this.handed++;
      sink.failed(next.id, next.reason);
    }
    this.socket.flush(now);
    this.sink = undefined;
    return this.handed;
  }

  wait(ms: number): number {
    const from = monotonicMs();
    if (this.failures.length === 0) this.socket.sleep(Math.min(ms, this.msToNext()));
    return monotonicMs() - from;
  }

  msToNext(): number {
    if (this.failures.length > 0) return 0;
    const now = monotonicMs();
    let next = this.socket.msToNext(now);
    if (this.connected) next = Math.min(next, this.follower.due - now);
    for (const { at } of this.asked.values()) next = Math.min(next, at + ANSWER_MS - now);
    return Math.max(0, next);
  }

  close(): void {
    this.follower.stop();
    this.socket.flush(monotonicMs());
    this.socket.close();
  }

  opened(info: NatsInfo): void {
    const { shard } = this.options;
    const { server_name: server, version } = info;
    if (server !== undefined) this.names.set(this.socket.server, server);
    this.payloadBytesMax = info.max_payload ?? PAYLOAD_BYTES_MAX;
    this.lines.tell('info', 'a shard uses a NATS server', { shard, server, version }, monotonicMs());
    this.socket.writer.subscribe(`${this.inbox}.>`, FIRST_SID);
    this.follower.reconnected(monotonicMs());
    for (const id of this.asked.keys()) this.send(id);
  }

  closed(why: string, server: number): void {
    const { shard } = this.options;
    const fields = { shard, server: this.names.get(server) ?? server, why };
    this.lines.tell('warn', 'a shard leaves a NATS server', fields, monotonicMs());
    for (const id of this.asked.keys()) this.failures.push({ id, reason: why });
    this.asked.clear();
  }

  told(error: string): void {
    const fields = { shard: this.options.shard, error };
    this.lines.tell('warn', 'a NATS server forbids something', fields, monotonicMs());
  }

  /** In an answer's subject a letter for its kind and a number follow the inbox's name. */
  message(reader: NatsReader, bytes: Uint8Array): void {
    if (reader.sid !== FIRST_SID) return this.delivered(reader, bytes);
    const name = reader.subject(bytes).slice(this.inbox.length + 1);
    const kind = name[0];
    const id = Number(name.slice(2));
    if (kind === 'c') return this.follower.made(id, reader.payload(bytes), monotonicMs());
    const question = this.asked.get(id);
    if (question === undefined || this.sink === undefined) return;
    this.asked.delete(id);
    this.handed++;
    const status = reader.status(bytes);
    const json = reader.payload(bytes);
    if (kind === 'p') published(this.sink, id, json, status);
    else if (status !== 0) this.sink.failed(id, `status ${status}`);
    else if (kind === 'r') wasRead(this.sink, id, question.sequence, json);
    else wereBounds(this.sink, id, json);
  }

  private delivered(reader: NatsReader, bytes: Uint8Array): void {
    const sequence = this.follower.take(reader, bytes, monotonicMs());
    if (sequence === 0 || this.sink === undefined) return;
    this.handed++;
    const payload = bytes.subarray(reader.payloadAt, reader.payloadEnd);
    this.sink.message(sequence, payload, payload.length);
  }

  private ask(id: number, what: Question['what'], sequence: number): void {
    this.asked.set(id, { what, at: monotonicMs(), sequence });
    this.socket.owed = true;
  }

  /** Asks the stream's leader; without a connection, as soon as there is one. */
  private send(id: number): void {
    const question = this.asked.get(id);
    if (question === undefined || !this.connected) return;
    const { writer } = this.socket;
    if (question.what === 'read')
      writer.publishText(readSubject(this.stream), `${this.inbox}.r.${id}`, `{"seq":${question.sequence}}`);
    else writer.publishText(boundsSubject(this.stream), `${this.inbox}.b.${id}`, '');
    this.socket.flush(monotonicMs());
  }

  private expire(now: number): void {
    for (const [id, { at }] of this.asked) {
      if (now - at < ANSWER_MS) continue;
      this.asked.delete(id);
      this.failures.push({ id, reason: 'no answer of the stream in time' });
    }
  }
}

function published(sink: StreamSink, id: number, json: string, status: number): void {
  const outcome = publishOutcome(json, status);
  if (outcome.kind === 'stored') sink.acknowledged(id, outcome.sequence);
  else if (outcome.kind === 'refused') sink.refused(id, outcome.last);
  else sink.failed(id, outcome.reason);
}

function wasRead(sink: StreamSink, id: number, sequence: number, json: string): void {
  const outcome = readOutcome(json);
  if (outcome === 'missing') sink.missing(id, sequence);
  else if ('reason' in outcome) sink.failed(id, outcome.reason);
  else sink.found(id, outcome.sequence, outcome.bytes, outcome.bytes.length);
}

function wereBounds(sink: StreamSink, id: number, json: string): void {
  const outcome = boundsOutcome(json);
  if ('reason' in outcome) sink.failed(id, outcome.reason);
  else sink.bounds(id, outcome.first, outcome.last);
}
