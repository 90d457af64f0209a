// What a shard's thread is given, and how it is put together: store, rings, bells, sockets, loop. Comfortable code that
// runs once per start; the work is in shard-loop.

import { MessageChannel, type MessagePort, receiveMessageOnPort, type TransferListItem } from 'node:worker_threads';
import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import { createAorReader } from '../core/lookup/aor-key.ts';
import type { Policy } from '../core/uas/policy.ts';
import type { LocationStore } from '../location/location-store.ts';
import { LogStore } from '../location/log/log-store.ts';
import { openStore, type StoreOptions } from '../location/open-store.ts';
import { ChangedKeys } from '../location/shared/changed-keys.ts';
import type { TableParts } from '../location/table/binding-table.ts';
import type { ShardAuth } from '../shard/admission.ts';
import type { Pipeline } from '../shard/batch.ts';
import type { GateOptions } from '../shard/gate.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import { EventWriter } from '../shard/observe/event-ring.ts';
import { Measures } from '../shard/observe/measures.ts';
import { Talkers } from '../shard/observe/top-senders.ts';
import { ProcessClock } from '../shard/process-clock.ts';
import { Bell, FlagWait, flagWake } from '../shard/rings/bell.ts';
import { RING_ACCEPTED, RING_FLOW_NEWS, Ring } from '../shard/rings/ring.ts';
import type { ShardOptions } from '../shard/shard-options.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';
import { StaticTable } from '../shard/statics/static-table.ts';
import { warmUp } from '../sip/parser/parser-warmup.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import { createPeers } from '../sip/sources.ts';
import type { FlowRows } from '../transport/flow/flow-rows.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import type { FramingLimits } from '../transport/flow/stream-policy.ts';
import * as abi from '../transport/linux/linux-abi.ts';
import { TcpEnd } from '../transport/linux/linux-tcp.ts';
import { UdpReceiver, UdpSender, type UdpSocket, UdpWait } from '../transport/linux/linux-udp.ts';
import { UserTable } from '../users/user-table.ts';
import type { CheckpointSource } from './checkpoint/checkpointer.ts';
import { Forwarding } from './forwarding.ts';
import { rehearse } from './jit-warmup.ts';
import { type WaitingMessage, WaitingRoom } from './pending-credentials.ts';
import type { SharedTable } from './readers.ts';
import { ShardLoop } from './shard-loop.ts';
import type { ChangedKeysMemory } from './shared-location/shared-locations.ts';
import { fdWake } from './shared-parts.ts';

/** Everything a shard's thread is handed; crosses by structured clone. */
export interface AuthTask {
  readonly policy: AuthPolicy;
  readonly realms: readonly string[];
  /** The data directory, which has the user store. */
  readonly data: string;
  /** State of a provider (PROVIDER_*), where there is one. */
  readonly providerState?: Int32Array;
  readonly nonceStart: number;
  /** Of the nonces' keys. */
  readonly generation: number;
  /** Number of this life of the shard. */
  readonly life: number;
  readonly waiting: SharedArrayBuffer;
}

export interface ShardTask {
  readonly index: number;
  readonly shards: number;
  readonly store: StoreOptions;
  readonly policy: Policy;
  readonly secret: Uint8Array;
  /** Of a ProcessClock. */
  readonly clock: SharedArrayBuffer;
  /** The shard's own row of counters. */
  readonly counters: SharedArrayBuffer;
  readonly measures: SharedArrayBuffer;
  /** One per shard. */
  readonly bells: readonly SharedArrayBuffer[];
  /** Their eventfds, one per shard; none where shards sleep on the flag. */
  readonly bellFds: readonly number[];
  readonly mainBell: SharedArrayBuffer;
  /** Rings this shard reads. */
  readonly incoming: readonly SharedArrayBuffer[];
  /** Rings to the others, by shard; null for itself. */
  readonly outgoing: readonly (SharedArrayBuffer | null)[];
  readonly toMain: SharedArrayBuffer;
  /** What of its messages is watched, and where copies go. */
  readonly tapMemory: SharedArrayBuffer;
  readonly tap: SharedArrayBuffer;
  /** Which connections are alive. */
  readonly liveFlows: SharedArrayBuffer;
  readonly flowRows: FlowRows;
  /** Where it learns of connections that it reads itself. */
  readonly epoll?: number;
  readonly framing: FramingLimits;
  readonly history: SharedArrayBuffer | undefined;
  readonly talkers: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly eventBell: SharedArrayBuffer;
  /** The data directory, which has the static bindings; none where everything is in memory. */
  readonly data?: string;
  /** Sockets of its own; none where the main thread has them. */
  readonly sockets: readonly UdpSocket[];
  readonly port: MessagePort;
  /** Where clients authenticate. */
  readonly auth?: AuthTask;
  readonly gate?: GateOptions;
  /** Where a read model is kept: where changes of records are told. */
  readonly changes?: ChangedKeysMemory;
}

/** What a shard found in its store. */
export interface OpenReport {
  readonly aors: number;
  readonly bindings: number;
  readonly quarantined: number;
}

/** What a shard's thread tells the main thread. */
export type ShardNews =
  | {
      readonly type: 'open';
      readonly report: OpenReport;
      readonly table?: SharedTable;
      readonly checkpoint?: CheckpointSource;
      readonly shared?: SharedTable;
    }
  | { readonly type: 'failed'; readonly name: string; readonly message: string; readonly code: string | undefined }
  /** It works by the settings sent to it; `problem` says why it does not. */
  | { readonly type: 'configured'; readonly problem?: string }
  /** It reads no socket any more, and hands nothing on. */
  | { readonly type: 'drained' }
  | { readonly type: 'wake' }
  | { readonly type: 'events' }
  | { readonly type: 'wait'; readonly message: WaitingMessage }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: Record<string, unknown>;
    };

type Tell = (news: ShardNews, transfer?: readonly TransferListItem[]) => void;

/** Opens the store, runs the shard until it is told to stop, closes the store. Throws what kept it from going on. */
export function runShardThread(task: ShardTask, createPipeline: (options: ShardOptions) => Pipeline): void {
  const tell = (news: ShardNews, transfer: readonly TransferListItem[] = []) => task.port.postMessage(news, transfer);
  const counters = new Float64Array(task.counters);
  const clock = new ProcessClock(task.clock);
  let store: LocationStore | undefined;
  let users: UserTable | undefined;
  try {
    store = openStore(task.store, clock.now(), (done, total) => {
      counters[COUNTER.opened] = done;
      counters[COUNTER.to_open] = total;
    });
    if (task.changes && store instanceof LogStore) store.changes = tellChanges(task.changes);
    users = task.auth && openUsers(task.auth, tell);
    const loop = assemble(task, store, clock, createPipeline, tell, users);
    try {
      loop.run();
    } finally {
      loop.close();
    }
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException;
    tell({ type: 'failed', name, message, code });
    throw error;
  } finally {
    users?.close();
    store?.close();
  }
}

function tellChanges({ keys, bell }: ChangedKeysMemory): ChangedKeys {
  const reader = new Bell(bell, flagWake(bell));
  return new ChangedKeys(keys, () => reader.ring());
}

function openUsers({ data, realms, providerState }: AuthTask, tell: Tell): UserTable {
  // A user that is wanted is asked for by the message that waits for it.
  const provider = providerState && { provider: { state: providerState, wanted: () => {} } };
  const damaged = (user: string) =>
    tell({ type: 'log', level: 'error', event: 'a user is damaged: add or import it anew', fields: { user } });
  return new UserTable({ data, realms, damaged, ...provider });
}

function shardAuth(task: AuthTask, users: UserTable, tell: (news: ShardNews) => void): ShardAuth {
  const room = new WaitingRoom(task.waiting, (message) => tell({ type: 'wait', message }));
  const { policy, realms, nonceStart, generation, life } = task;
  return { policy, realms, users, nonceStart, generation, life, wait: (...who) => room.enter(...who) };
}

/** For one reader: the table as it is, and what brings the news of it. */
function shareTable(store: LogStore): { parts: TableParts; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  return { parts: store.share((news) => port1.postMessage(news)), port: port2 };
}

/** What the store found, and for readers in the main thread its table. */
function tellOpen(task: ShardTask, store: LocationStore, tell: Tell): void {
  const { aors, bindings, quarantined } = store;
  const report = { aors, bindings, quarantined };
  if (!(store instanceof LogStore) || task.store.kind !== 'log') return tell({ type: 'open', report });
  if (store.checkpoint.problem !== undefined) {
    const fields = { shard: task.index, problem: store.checkpoint.problem };
    tell({ type: 'log', level: 'error', event: 'checkpoint unusable, the whole log was read', fields });
  }
  tellProblems(task.index, store, tell);
  const { directory } = task.store;
  const table = { directory, ...shareTable(store) };
  const checkpoint = {
    directory,
    ...shareTable(store),
    marks: store.marks.memory,
    bytes: store.checkpoint.bytes,
  };
  const shared = task.changes && { directory, ...shareTable(store) };
  const ports = [table.port, checkpoint.port, ...(shared ? [shared.port] : [])];
  tell({ type: 'open', report, table, checkpoint, ...(shared && { shared }) }, ports);
}

/** Damage that the start met: what is lost, and where the rest is. */
function tellProblems(shard: number, { log, replayed }: LogStore, tell: Tell): void {
  const error = (event: string, fields: Record<string, unknown>) =>
    tell({ type: 'log', level: 'error', event, fields: { shard, ...fields } });
  for (const file of log.problems.aside) error('file of no use in the log, set aside', { file });
  for (const file of log.problems.unfinished)
    tell({ type: 'log', level: 'info', event: 'log file that was being made, removed', fields: { shard, file } });
  for (const number of log.problems.missing)
    error('log file missing, its bindings are lost', { file: log.fileAt(number * log.generationBytes) });
  for (const { place, bytes } of replayed.damaged)
    error('damaged log, set aside', { file: log.fileAt(place), at: place % log.generationBytes, bytes });
}

function openStatics({ data, secret }: ShardTask, tell: (news: ShardNews) => void): StaticTable {
  const failed = (error: string) =>
    tell({ type: 'log', level: 'error', event: 'static bindings cannot be read', fields: { error } });
  return new StaticTable({ data: data ?? null, aor: createAorReader(secret), failed });
}

/** Settings that wait at the port, in their order; each is answered. */
function takeSettings(port: MessagePort, shard: Pipeline, tell: Tell): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    try {
      shard.configure(next.message as ShardSettings);
      tell({ type: 'configured' });
    } catch (error) {
      tell({ type: 'configured', problem: String(error) });
    }
  }
}

function openTcp(
  task: ShardTask,
  calls: abi.Calls,
  forwarding: Forwarding,
  shard: Pipeline,
  lengths: Int32Array,
  counters: Float64Array,
): TcpEnd | null {
  if (task.epoll === undefined) return null;
  const fd = new Int32Array(1);
  const fdBytes = new Uint8Array(fd.buffer);
  const nobody = createPeers(1);
  return new TcpEnd(
    {
      calls,
      epoll: task.epoll,
      live: new LiveFlows(task.liveFlows),
      rows: task.flowRows,
      messageBytesMax: task.policy.messageBytesMax,
      framing: task.framing,
      accepted: (descriptor, peers) => {
        fd[0] = descriptor;
        return forwarding.tellMain(RING_ACCEPTED, fdBytes, peers);
      },
      news: (pairs) => forwarding.tellMain(RING_FLOW_NEWS, pairs, nobody),
      pinged: () => {
        counters[COUNTER.pings]++;
      },
      refused: () => {
        counters[COUNTER.refused_connections]++;
      },
      skipped: (bytes) => {
        counters[COUNTER.skipped_bytes] += bytes;
      },
    },
    shard.peers,
    lengths,
  );
}

function assemble(
  task: ShardTask,
  store: LocationStore,
  clock: ProcessClock,
  createPipeline: (options: ShardOptions) => Pipeline,
  tell: Tell,
  users: UserTable | undefined,
): ShardLoop {
  const counters = new Float64Array(task.counters);
  for (const gauge of ['bindings', 'aors', 'transactions'] as const) counters[COUNTER[gauge]] = 0;
  const measures = new Measures(task.measures);
  const calls = task.bellFds.length > 0 ? abi.loadCalls() : null;
  if (typeof calls === 'string') throw new Error(calls);
  const bells = task.bells.map(
    (memory, i) => new Bell(memory, calls ? fdWake(calls, task.bellFds[i]) : flagWake(memory)),
  );
  const mainBell = new Bell(task.mainBell, () => tell({ type: 'wake' }));
  const outgoing = task.outgoing.map((memory) => (memory === null ? null : new Ring(memory)));
  const forwarding = new Forwarding(outgoing, bells, new Ring(task.toMain), mainBell);
  const options: ShardOptions = {
    index: task.index,
    shards: task.shards,
    store,
    clock,
    policy: task.policy,
    secret: task.secret,
    counters,
    flows: new LiveFlows(task.liveFlows),
    measures,
    forward: (owner, slot, length) => forwarding.toShard(owner, slot, length, shard.peers),
    talkers: new Talkers(task.talkers),
    ...(task.history && { history: task.history }),
    tap: { memory: task.tapMemory, ring: new Ring(task.tap) },
    statics: openStatics(task, tell),
    events: new EventWriter(task.events, new Bell(task.eventBell, () => tell({ type: 'events' }))),
    log: (level, event, fields) => tell({ type: 'log', level, event, fields: { shard: task.index, ...fields } }),
    ...(task.auth && users && { auth: shardAuth(task.auth, users, tell) }),
    ...(task.gate && { gate: task.gate }),
  };
  const shard = createPipeline(options);
  const lengths = new Int32Array(SLOT_COUNT);
  const waiter = calls
    ? new UdpWait(calls, task.bellFds[task.index], task.sockets, task.epoll)
    : new FlagWait(task.bells[task.index]);
  const udp = calls && {
    receiver: new UdpReceiver(calls, task.sockets, shard.peers, lengths),
    sender: new UdpSender(calls, task.sockets, shard.peers),
    sockets: task.sockets.length,
  };
  const tcp = calls && openTcp(task, calls, forwarding, shard, lengths, counters);
  warmUp();
  if (task.store.kind === 'log') rehearse(`${task.store.directory}.rehearsal`, options, createPipeline);
  shard.open();
  tellOpen(task, store, tell);
  return new ShardLoop({
    shard,
    clock,
    counters,
    measures,
    bell: bells[task.index],
    waiter,
    rings: task.incoming.map((memory) => new Ring(memory)),
    forwarding,
    udp,
    tcp,
    lengths,
    configure: () => takeSettings(task.port, shard, tell),
    drained: () => tell({ type: 'drained' }),
  });
}
