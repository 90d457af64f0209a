// The task of a shard's thread, and the assembly of its parts: store, rings, bells, sockets, loop. The code runs once per start; shard-loop does
// the work.

import type { TransferListItem } from 'node:worker_threads';
import { createAorReader } from '../core/lookup/aor-key.ts';
import { createAnswerRing } from '../core/uas/transactions.ts';
import { takeReadyCopy } from '../location/files/ready-copy.ts';
import type { LocationStore } from '../location/location-store.ts';
import { LogStore } from '../location/log/log-store.ts';
import { openStore } from '../location/open-store.ts';
import { ChangedKeys } from '../location/shared/changed-keys.ts';
import type { ShardAuth } from '../shard/admission.ts';
import type { Pipeline } from '../shard/batch.ts';
import type { FeedWriter } from '../shard/feed/feed-writer.ts';
import { openFeed } from '../shard/feed/open-feed.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import { EventWriter } from '../shard/observe/event-ring.ts';
import { Measures } from '../shard/observe/measures.ts';
import { TopSenders } from '../shard/observe/top-senders.ts';
import { ProcessClock } from '../shard/process-clock.ts';
import { Bell, FlagWait, flagWake } from '../shard/rings/bell.ts';
import { RING_ACCEPTED, RING_FLOW_NEWS, Ring } from '../shard/rings/ring.ts';
import type { ShardOptions } from '../shard/shard-options.ts';
import { StaticTable } from '../shard/statics/static-table.ts';
import { openSubscriptions, type SubscriptionOptions } from '../shard/subscriptions/subscription-options.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import { createPeers, type Peers } from '../sip/sources.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import * as abi from '../transport/linux/linux-abi.ts';
import { TcpConnections } from '../transport/linux/linux-tcp.ts';
import { UdpReceiver, UdpWait } from '../transport/linux/linux-udp.ts';
import { UdpSender } from '../transport/linux/udp-sender.ts';
import { UserTable } from '../users/user-table.ts';
import type { openClusterShard } from './cluster/open-cluster-shard.ts';
import { Forwarding } from './forwarding.ts';
import { tellOpen } from './open-report.ts';
import { warmShard } from './rehearsal/rehearsal.ts';
import { type LoopParts, ShardLoop } from './shard-loop.ts';
import type { AuthTask, ShardNews, ShardTask, Tell } from './shard-messages.ts';
import { handleOrders } from './shard-orders.ts';
import type { ChangedKeysMemory } from './shared-location/shared-locations.ts';
import { fdWake } from './shared-parts.ts';
import { PendingCredentials } from './waiting/pending-credentials.ts';
import { holdLookups } from './waiting/pending-lookups.ts';

type OpenClusterShard = NonNullable<ReturnType<typeof openClusterShard>>;

/**
 * Opens the store, runs the shard until it is told to stop, closes the store. Throws the error that ended it.
 * @param openCluster of a node of a cluster: puts the stream before the store
 */
export function runShardThread(
  task: ShardTask,
  createPipeline: (options: ShardOptions) => Pipeline,
  openCluster?: typeof openClusterShard,
): void {
  const tell = (news: ShardNews, transfer: readonly TransferListItem[] = []) => task.port.postMessage(news, transfer);
  const counters = new Float64Array(task.counters);
  const clock = new ProcessClock(task.clock);
  let store: LocationStore | undefined;
  let users: UserTable | undefined;
  let cluster: OpenClusterShard | undefined;
  let feed: FeedWriter | undefined;
  const subscriptions = task.subscriptions && openSubscriptions(task.subscriptions);
  try {
    const answerRing = createAnswerRing(task.policy.answerBytesMax);
    warmShard(task, answerRing, createPipeline, logOf(task, tell));
    if (task.cluster !== undefined && task.store.kind === 'log') takeReadyCopy(task.store.directory);
    // On a node of several, no clock shortens bindings by itself.
    store = openStore(task.store, task.cluster === undefined ? clock.now() : 0, (done, total) => {
      counters[COUNTER.opened] = done;
      counters[COUNTER.to_open] = total;
    });
    if (task.changes && store instanceof LogStore) store.changes = tellChanges(task.changes);
    users = task.auth && openUsers(task.auth, tell);
    cluster = openCluster?.(task, store, logOf(task, tell));
    feed = task.feed && openFeed(task.feed, store, cluster?.shard);
    if (cluster && feed) cluster.shard.feed = feed;
    const loop = assemble(
      task,
      { store, clock, answerRing, users, feed, subscriptions, cluster },
      createPipeline,
      tell,
    );
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
    cluster?.shard.close();
    feed?.close();
    subscriptions?.journal?.close();
    store?.close();
  }
}

function logOf({ index }: ShardTask, tell: Tell): ShardOptions['log'] {
  return (level, event, fields) => tell({ type: 'log', level, event, fields: { shard: index, ...fields } });
}

function tellChanges({ keys, bell }: ChangedKeysMemory): ChangedKeys {
  const reader = new Bell(bell, flagWake(bell));
  return new ChangedKeys(keys, () => reader.ring());
}

function openUsers({ data, realms, providerState, tokens }: AuthTask, tell: Tell): UserTable {
  // A missing user is asked for by the message that waits for it.
  const provider = providerState && { provider: { state: providerState, wanted: () => {} } };
  const bearers = tokens && { tokens: { state: tokens.state, wanted: () => {} } };
  const damaged = (user: string) =>
    tell({ type: 'log', level: 'error', event: 'a user is damaged: add or import it anew', fields: { user } });
  return new UserTable({ data, realms, damaged, ...provider, ...bearers });
}

function shardAuth(task: AuthTask, users: UserTable, tell: (news: ShardNews) => void): ShardAuth {
  const pending = new PendingCredentials(task.waiting, (message) => tell({ type: 'wait', message }));
  const { policy, realms, nonceStart, generation, life } = task;
  const tokens = task.tokens && { tokens: task.tokens.offer };
  return { policy, realms, users, nonceStart, generation, life, ...tokens, wait: (...args) => pending.enter(...args) };
}

function openStatics({ data, secret }: ShardTask, tell: (news: ShardNews) => void): StaticTable {
  const failed = (error: string) =>
    tell({ type: 'log', level: 'error', event: 'static bindings cannot be read', fields: { error } });
  return new StaticTable({ data: data ?? null, aor: createAorReader(secret), failed });
}

function openTcp(
  task: ShardTask,
  calls: abi.Calls,
  forwarding: Forwarding,
  shard: Pipeline,
  lengths: Int32Array,
  counters: Float64Array,
): TcpConnections | null {
  if (task.epoll === undefined) return null;
  const fd = new Int32Array(1);
  const fdBytes = new Uint8Array(fd.buffer);
  const nobody = createPeers(1);
  return new TcpConnections(
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

function openForwarding({ outgoing, toMain, mainBell }: ShardTask, bells: readonly Bell[], tell: Tell): Forwarding {
  const rings = outgoing.map((memory) => (memory === null ? null : new Ring(memory)));
  return new Forwarding(rings, bells, new Ring(toMain), new Bell(mainBell, () => tell({ type: 'wake' })));
}

function openUdp(
  { sockets }: ShardTask,
  calls: abi.Calls,
  { peers, outgoing }: Pipeline,
  lengths: Int32Array,
): LoopParts['udp'] {
  return {
    receiver: new UdpReceiver(calls, sockets, peers, lengths),
    sender: new UdpSender(calls, sockets, peers),
    ...(outgoing && { openRequests: () => new UdpSender(calls, sockets, outgoing.peers) }),
    sockets: sockets.length,
  };
}

function hearOwnership({ shard: cluster }: OpenClusterShard, shard: Pipeline): void {
  cluster.listener = {
    tookOver: (epoch, now) => shard.tookOver?.(epoch, now),
    gaveUp: () => shard.gaveUp?.(),
  };
}

/** Parts opened before the loop and closed after it. */
interface ShardParts {
  readonly store: LocationStore;
  readonly clock: ProcessClock;
  readonly answerRing: Uint8Array;
  readonly users: UserTable | undefined;
  readonly feed: FeedWriter | undefined;
  readonly subscriptions: SubscriptionOptions | undefined;
  readonly cluster: OpenClusterShard | undefined;
}

function clusterOptions(
  { cluster }: ShardTask,
  { shard, away, flows }: OpenClusterShard,
  peers: () => Peers,
): Pick<ShardOptions, 'deciding' | 'node' | 'elsewhere' | 'flowsForRemoval'> {
  return {
    deciding: shard,
    node: cluster?.number ?? 0,
    elsewhere: (owner, slot, length) => away.handOver(owner, slot, length, peers()),
    flowsForRemoval: flows.forRemoval,
  };
}

/** The option to wake devices, present where push services are used. */
function wakeOption({ waitingLookups }: ShardTask, tell: Tell, peers: () => Peers): Pick<ShardOptions, 'wake'> {
  if (waitingLookups === undefined) return {};
  return { wake: holdLookups(waitingLookups, (lookup) => tell({ type: 'asleep', lookup }), peers) };
}

function assemble(
  task: ShardTask,
  { store, clock, answerRing, users, feed, subscriptions, cluster }: ShardParts,
  createPipeline: (options: ShardOptions) => Pipeline,
  tell: Tell,
): ShardLoop {
  const counters = new Float64Array(task.counters);
  for (const gauge of ['bindings', 'aors', 'transactions'] as const) counters[COUNTER[gauge]] = 0;
  const measures = new Measures(task.measures);
  const calls = task.bellFds.length > 0 ? abi.loadCalls() : null;
  if (typeof calls === 'string') throw new Error(calls);
  const bells = task.bells.map(
    (memory, i) => new Bell(memory, calls ? fdWake(calls, task.bellFds[i]) : flagWake(memory)),
  );
  const forwarding = openForwarding(task, bells, tell);
  const options: ShardOptions = {
    index: task.index,
    shards: task.shards,
    store: cluster?.store ?? store,
    clock,
    ...{ policy: task.policy, secret: task.secret, pings: task.pings, opensTcp: true },
    counters,
    answerRing,
    flows: cluster?.flows ?? new LiveFlows(task.liveFlows),
    measures,
    forward: (owner, slot, length) => forwarding.toShard(owner, slot, length, shard.peers),
    topSenders: new TopSenders(task.topSenders),
    ...(task.history && { history: task.history }),
    tap: { memory: task.tapMemory, ring: new Ring(task.tap) },
    statics: openStatics(task, tell),
    events: new EventWriter(task.events, new Bell(task.eventBell, () => tell({ type: 'events' }))),
    log: logOf(task, tell),
    ...(feed && { feed }),
    ...(subscriptions && { subscriptions }),
    ...(task.auth && users && { auth: shardAuth(task.auth, users, tell) }),
    ...(task.gate && { gate: task.gate }),
    ...(cluster && clusterOptions(task, cluster, () => shard.peers)),
    ...wakeOption(task, tell, () => shard.peers),
  };
  const shard = createPipeline(options);
  if (cluster !== undefined) hearOwnership(cluster, shard);
  const lengths = new Int32Array(SLOT_COUNT);
  const waiter = calls
    ? new UdpWait(calls, task.bellFds[task.index], task.sockets, task.epoll, cluster?.stream)
    : new FlagWait(task.bells[task.index]);
  const udp = calls && openUdp(task, calls, shard, lengths);
  const tcp = calls && openTcp(task, calls, forwarding, shard, lengths, counters);
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
    ...(cluster && { cluster: cluster.shard, away: cluster.away, relay: cluster.relay(forwarding, tcp) }),
    lengths,
    configure: () => handleOrders(task.port, shard, clock, tell),
    drained: () => tell({ type: 'drained' }),
  });
}
