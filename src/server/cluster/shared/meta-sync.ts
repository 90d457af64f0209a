// Users and static bindings of a cluster: changes by any process of one node are published in the META stream, and changes of other nodes
// are applied here. Changes have versions, so that order and repetition do not matter.

import { setTimeout as delay } from 'node:timers/promises';
import { DeliverPolicy, type JetStreamManager, type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as z from 'zod';
import { metaSubject, streamName } from '../../../cluster/stream-names.ts';
import { RepeatedLines } from '../../../threads/cluster/repeated-lines.ts';
import { monotonicMs } from '../../../transport/monotonic.ts';
import type { User } from '../../../users/stored-user.ts';
import type { SharedUser, UserStore } from '../../../users/user-store.ts';
import type { Log } from '../../process/log.ts';
import type { KnownRecord } from '../known-record.ts';
import { MetaBox } from './meta-box.ts';
import type { SharedStatic, SharedStatics } from './shared-statics.ts';

const LOOK_MS = 300;
const RETRY_MS = 1000;
/** Changes published, or applied, at a time. */
const BATCH = 200;
const ANSWER_MS = 5000;

const Told = z.discriminatedUnion('what', [
  z.object({
    what: z.literal('user'),
    name: z.string(),
    realm: z.string(),
    version: z.number().positive(),
    /** HA1s in hexadecimal digits, null for missing ones; absent: the user is removed. */
    user: z.object({ ha1s: z.array(z.string().nullable()), aors: z.array(z.string()), rules: z.string() }).optional(),
  }),
  z.object({
    what: z.literal('static'),
    key: z.string().regex(/^(bindings|alias) \S/),
    version: z.number().positive(),
    value: z.string().nullable(),
  }),
]);
type Told = z.infer<typeof Told>;

/** The part of the user store that is needed here. */
export type SharedUsers = Pick<UserStore, 'share' | 'takeShared' | 'told' | 'tellAgain' | 'get' | 'versions'>;

export interface MetaSyncParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly cluster: string;
  /** Number of this node. */
  readonly node: number;
  readonly secret: Uint8Array;
  /** Absent where clients do not authenticate. */
  readonly users?: SharedUsers | undefined;
  readonly statics: SharedStatics;
  readonly known: Pick<KnownRecord, 'meta' | 'keepMeta'>;
  readonly log: Log;
}

export class MetaSync {
  /** Messages that no node has written. */
  strangers = 0;
  /** Sequence up to which the stream has been applied. */
  sequence: number;
  private readonly parts: MetaSyncParts;
  private readonly box: MetaBox;
  private readonly lines: RepeatedLines;
  private readonly following: Promise<void>;
  private readonly telling: Promise<void>;
  private readonly stopped = new AbortController();
  private stopMessages: () => void = () => {};
  /** Creation time of the followed stream; empty: none is followed. */
  private stream = '';
  /** False for a stream that was made anew: this node publishes whatever the stream lacks, and therefore reads it first. */
  private isLevel = true;

  constructor(parts: MetaSyncParts) {
    const { users, statics, node, secret } = parts;
    this.parts = parts;
    this.box = new MetaBox(secret);
    this.lines = new RepeatedLines(parts.log);
    users?.share(node);
    this.sequence = Math.min(users?.versions.sequence ?? statics.sequence, statics.sequence);
    this.following = this.again('changes of other nodes cannot be taken in', () => this.follow());
    this.telling = this.again('changes cannot be told to the other nodes', () => this.tell());
  }

  async close(): Promise<void> {
    this.stopped.abort();
    this.stopMessages();
    await Promise.all([this.following, this.telling]);
  }

  /** The stream has this creation time, by its server: it may have replaced the followed one. */
  seen(created: string): void {
    if (this.stream !== '' && created !== this.stream) this.stopMessages();
  }

  /** Repeats the work until the end. A failure is logged, then once a minute while it lasts. */
  private async again(trouble: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        this.lines.tell('warn', trouble, { error: String(error) }, monotonicMs());
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  private async follow(): Promise<void> {
    const { connection, cluster, manager, known } = this.parts;
    const stream = streamName(cluster, 'META');
    const { state, created } = await manager.streams.info(stream);
    if (state.last_seq < this.sequence || (known.meta !== undefined && known.meta !== created)) this.beginAnew();
    known.keepMeta(created);
    this.stream = created;
    const consumer = await jetstream(connection).consumers.get(stream, {
      filter_subjects: [`${metaSubject(cluster)}.user.*`, `${metaSubject(cluster)}.static.*`],
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.sequence + 1,
    });
    if ((await consumer.info()).num_pending === 0) this.isLevel = true;
    const messages = await consumer.consume({ max_messages: BATCH, abort_on_missing_resource: true });
    this.stopMessages = () => messages.stop();
    if (this.stopped.signal.aborted) return messages.stop();
    let batch: JsMsg[] = [];
    for await (const message of messages) {
      batch.push(message);
      if (batch.length < BATCH && message.info.pending > 0) continue;
      this.take(batch);
      batch = [];
      if (message.info.pending === 0) this.isLevel = true;
    }
  }

  /** The stream was made anew: its messages are lost, but for the nodes' copies. Versions tell which of these are new in it. */
  private beginAnew(): void {
    const { users, statics, log } = this.parts;
    log('warn', 'the META stream was made anew: users and static bindings are told again');
    users?.tellAgain();
    statics.tellAgain();
    this.sequence = 0;
    this.isLevel = false;
  }

  private take(messages: readonly JsMsg[]): void {
    const { users, statics } = this.parts;
    const sequence = messages.at(-1)?.seq ?? this.sequence;
    const told = messages.flatMap(({ subject, data }) => this.read(subject, data) ?? []);
    const people = told.flatMap((each) => (each.what === 'user' ? [sharedUser(each)] : []));
    const entries: SharedStatic[] = told.flatMap((each) => (each.what === 'static' ? [each] : []));
    users?.takeShared(people, sequence);
    statics.take(
      entries.map(({ key, version, value }) => ({ key, version, value })),
      sequence,
    );
    this.sequence = sequence;
  }

  private read(subject: string, data: Uint8Array): Told | undefined {
    const found = Told.safeParse(this.box.open(subject, data));
    if (found.success) return found.data;
    this.strangers++;
    return undefined;
  }

  private async tell(): Promise<void> {
    const { users, statics } = this.parts;
    const people = this.isLevel ? (users?.versions.untold(BATCH) ?? []) : [];
    const entries = this.isLevel ? statics.untold() : [];
    await Promise.all([
      ...people.map(async ({ user, version }) => {
        const found = users?.get(user);
        await this.publish(`user.${this.box.nameOf(`${user.name}@${user.realm}`)}`, {
          ...{ what: 'user', name: user.name, realm: user.realm, version },
          ...(found && { user: userContent(found) }),
        });
      }),
      ...entries.map((entry) => this.publish(`static.${this.box.nameOf(entry.key)}`, { what: 'static', ...entry })),
    ]);
    if (people.length > 0) users?.told(people);
    if (entries.length > 0) statics.told(entries);
    if (people.length < BATCH) await delay(LOOK_MS, undefined, { signal: this.stopped.signal }).catch(() => {});
  }

  private async publish(name: string, content: Told): Promise<void> {
    const { connection, cluster } = this.parts;
    const subject = `${metaSubject(cluster)}.${name}`;
    await jetstream(connection).publish(subject, this.box.seal(subject, content), { timeout: ANSWER_MS });
  }
}

function userContent({ ha1s, aors, rules = '' }: User) {
  return {
    ha1s: Array.from(ha1s, (ha1) => (ha1 === undefined ? null : Buffer.from(ha1).toString('hex'))),
    aors: [...aors],
    rules,
  };
}

function sharedUser({ name, realm, version, user }: Extract<Told, { what: 'user' }>): SharedUser {
  const ha1s = user?.ha1s.map((ha1) => (ha1 === null ? undefined : Buffer.from(ha1, 'hex')));
  const content = user && ha1s && { name, realm, ha1s, aors: user.aors, rules: user.rules };
  return { name, realm, version, user: content };
}
