// Parts that the threads of a server share: counters, bells, rings, and the descriptors of sockets. Made before any
// shard starts and owned by the main thread, so that they survive a shard's death.

import { createPingResults } from '../core/pings/ping-results.ts';
import { COUNTERS_BYTES } from '../shard/observe/counters.ts';
import { createEventMemory } from '../shard/observe/event-ring.ts';
import { createHistoryMemory } from '../shard/observe/history.ts';
import { MEASURES_BYTES } from '../shard/observe/measures.ts';
import { createTapMemory } from '../shard/observe/tap.ts';
import { TOP_SENDERS_BYTES } from '../shard/observe/top-senders.ts';
import { Bell, createBellMemory, flagWake } from '../shard/rings/bell.ts';
import { createRingMemory } from '../shard/rings/ring.ts';
import { createFlowRows, type FlowRows } from '../transport/flow/flow-rows.ts';
import { createLiveFlowsMemory, LiveFlows } from '../transport/flow/live-flows.ts';
import { type InheritedSocket, socketsFor } from '../transport/linux/inherited-sockets.ts';
import * as abi from '../transport/linux/linux-abi.ts';
import type { UdpSocket } from '../transport/linux/linux-udp.ts';
import { type NativeUdp, nativeUdp } from '../transport/linux/native-udp.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { ClusterSharedParts } from './cluster/cluster-parts.ts';

const MAIN_RING_BYTES = 4 << 20;
/** Ring between two shards; the number of rings grows with the square of the shards. */
const NEIGHBOUR_RING_BYTES = 1 << 20;
const NEIGHBOUR_RING_BYTES_MANY = 256 << 10;
const MANY_SHARDS = 16;
const TAP_RING_BYTES = 4 << 20;

export interface SharedParts {
  /** Null where the main thread has the UDP sockets. */
  readonly native: NativeUdp | null;
  /** All addresses given; where the shards have sockets of their own, UDP ports given as 0 are real ones here. */
  readonly listeners: readonly ListenAddress[];
  /** By shard, one socket per UDP listener; empty without native ones. */
  readonly sockets: readonly (readonly UdpSocket[])[];
  readonly counters: readonly SharedArrayBuffer[];
  readonly measures: readonly SharedArrayBuffer[];
  readonly bellMemories: readonly SharedArrayBuffer[];
  /** Eventfds of the bells; empty where shards sleep on the flag. */
  readonly bellFds: readonly number[];
  /** One epoll descriptor per shard for connections that it reads itself; empty where shards read none. */
  readonly epolls: readonly number[];
  /** The main thread's side of each shard's bell. */
  readonly bells: readonly Bell[];
  readonly mainBellMemory: SharedArrayBuffer;
  /** By writer, then reader; null on the diagonal. */
  readonly between: readonly (readonly (SharedArrayBuffer | null)[])[];
  readonly fromMain: readonly SharedArrayBuffer[];
  readonly toMain: readonly SharedArrayBuffer[];
  /** Liveness of connections. */
  readonly liveFlows: SharedArrayBuffer;
  readonly flowRows: FlowRows;
  /** The watched part of messages, and the copies, by shard (tap.ts). */
  readonly tapMemory: SharedArrayBuffer;
  readonly taps: readonly SharedArrayBuffer[];
  /** Changes of bindings, by shard (event-ring.ts), and the bell of their listeners. */
  readonly events: readonly SharedArrayBuffer[];
  readonly eventBellMemory: SharedArrayBuffer;
  /** Top senders, by shard (top-senders.ts). */
  readonly topSenders: readonly SharedArrayBuffer[];
  /** Recent changes of bindings, by shard (history.ts); empty where none are kept. */
  readonly histories: readonly SharedArrayBuffer[];
  /** Results of pings, by shard (core/pings/ping-results.ts). */
  readonly pingResults: readonly SharedArrayBuffer[];
  /** Present on a node of a cluster: the parts of the cluster's thread. */
  readonly cluster?: ClusterSharedParts;
  readonly clusterBell?: Bell;
  close(): void;
}

export interface SharedPartsOptions {
  readonly shards: number;
  readonly listeners: readonly ListenAddress[];
  /** Sockets that are bound already. */
  readonly inherited: readonly InheritedSocket[];
  /** Connections that may be open at a time. */
  readonly connections: number;
  /** Bytes of each shard's history; 0: none. */
  readonly historyBytes: number;
  /** Makes the cluster's parts. @param bellFd of its thread */
  readonly cluster?: (shards: number, bellFd: number) => ClusterSharedParts;
}

/**
 * @param native null: no sockets for the shards
 * @throws where an address cannot be bound; then nothing stays open
 */
export function openSharedParts(native: NativeUdp | null, options: SharedPartsOptions): SharedParts {
  const { shards, connections, historyBytes } = options;
  const every = <T>(make: (shard: number) => T): T[] => Array.from({ length: shards }, (_, shard) => make(shard));
  const fds: number[] = [];
  const close = () => {
    for (const fd of fds.splice(0)) native?.close(fd);
  };
  try {
    const sockets: UdpSocket[][] = every(() => []);
    const listeners = native === null ? options.listeners : listenAll(native, options, sockets, fds);
    const bellFds = native === null ? [] : every(() => native.openBell());
    fds.push(...bellFds);
    const streams = native !== null && options.listeners.some(({ transport }) => transport === 'tcp');
    const epolls = streams ? every(() => native.openEpoll()) : [];
    fds.push(...epolls);
    const cluster = openCluster(native, options, fds);
    const liveFlows = createLiveFlowsMemory(connections);
    const bellMemories = every(createBellMemory);
    const between = shards > MANY_SHARDS ? NEIGHBOUR_RING_BYTES_MANY : NEIGHBOUR_RING_BYTES;
    return {
      native,
      listeners,
      sockets,
      counters: every(() => new SharedArrayBuffer(COUNTERS_BYTES)),
      measures: every(() => new SharedArrayBuffer(MEASURES_BYTES)),
      pingResults: every(createPingResults),
      bellMemories,
      bellFds,
      epolls,
      bells: bellMemories.map((memory, i) => {
        return new Bell(memory, native === null ? flagWake(memory) : fdWake(native.calls, bellFds[i]));
      }),
      mainBellMemory: createBellMemory(),
      between: every((from) => every((to) => (from === to ? null : createRingMemory(between)))),
      fromMain: every(() => createRingMemory(MAIN_RING_BYTES)),
      toMain: every(() => createRingMemory(MAIN_RING_BYTES)),
      liveFlows,
      flowRows: createFlowRows(new LiveFlows(liveFlows).slots),
      tapMemory: createTapMemory(),
      taps: every(() => createRingMemory(TAP_RING_BYTES)),
      events: every(() => createEventMemory()),
      eventBellMemory: createBellMemory(),
      topSenders: every(() => new SharedArrayBuffer(TOP_SENDERS_BYTES)),
      histories: historyBytes === 0 ? [] : every(() => createHistoryMemory(historyBytes)),
      ...(cluster && native && { cluster, clusterBell: new Bell(cluster.bell, fdWake(native.calls, cluster.bellFd)) }),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function openCluster(
  native: NativeUdp | null,
  { shards, cluster }: SharedPartsOptions,
  fds: number[],
): ClusterSharedParts | undefined {
  if (cluster === undefined) return undefined;
  if (native === null) throw new Error('a node of a cluster needs the native path (udp: auto, on Linux)');
  const bellFd = native.openBell();
  fds.push(bellFd);
  return cluster(shards, bellFd);
}

/** The rings that a shard reads: the main thread's first. */
export function ringsTo({ fromMain, between, cluster }: SharedParts, shard: number): SharedArrayBuffer[] {
  const others = between.flatMap((row) => row[shard] ?? []);
  return [fromMain[shard], ...others, ...(cluster === undefined ? [] : [cluster.toShards[shard]])];
}

/** The native path where it is wanted and works, else the reason why not. */
export function chooseUdp(wanted: 'auto' | 'separate' | 'dgram'): NativeUdp | string {
  return wanted === 'dgram' ? 'asked for' : nativeUdp(wanted === 'auto');
}

function listenAll(
  native: NativeUdp,
  { listeners, inherited }: SharedPartsOptions,
  sockets: UdpSocket[][],
  fds: number[],
): ListenAddress[] {
  return listeners.map((address, listener) => {
    if (address.transport !== 'udp') return address;
    const opened = native.listen(address, listener, sockets.length, socketsFor(inherited, address));
    for (const [shard, socket] of opened.sockets.entries()) {
      if (!fds.includes(socket.fd)) fds.push(socket.fd);
      sockets[shard].push(socket);
    }
    return { ...address, port: opened.port };
  });
}

/** Wakes a shard that waits in poll(). */
export function fdWake(calls: abi.Calls, fd: number): () => void {
  const one = new abi.NativeMemory(8);
  one.bytes[0] = 1;
  return () => {
    calls.write(fd, one.address, 8);
  };
}
