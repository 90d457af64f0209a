// A running server's interface for its starter, and the starter's hooks. server.ts implements it.

import type { BindingListener } from '../shard/observe/binding-events.ts';
import type { StaticContent } from '../shard/statics/static-file.ts';
import type { FlowCounts } from '../transport/flow/flows.ts';
import type { InheritedSocket } from '../transport/linux/inherited-sockets.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { MulticastAddress } from '../transport/node/multicast.ts';
import type { HandshakeHook } from '../transport/websocket/websocket-handshake.ts';
import type { MessageWatch } from './admin/message-watch.ts';
import type { Config } from './config/config.ts';
import type { ReloadReport } from './config/reload.ts';
import type { HttpAddress } from './config/sections/lookup-config.ts';
import type { MessageSource, SendAnswer, StreamSource } from './embed/message-source.ts';
import type { BindingAccess } from './embed/program-bindings.ts';
import type { UserAccess } from './embed/program-users.ts';
import type { ChangesOptions } from './feed/feed.ts';
import type { FeedEntry } from './feed/feed-reader.ts';
import type { Lookup, LookupPreferences, NoLookup } from './lookups/location-lookup.ts';
import type { ProgramCredentials } from './users/program-source.ts';

export interface Server {
  /** The addresses that it listens on; a port given as 0 is the real one here. */
  readonly listen: readonly ListenAddress[];
  /** The path of UDP: `native` batches in the shards, or `dgram` on the main thread. */
  readonly udp: 'native' | 'dgram';
  /** Counters of each shard, by COUNTER of shard/observe/counters. */
  counters(): readonly Float64Array[];
  /** Shards that died and were restarted. */
  readonly restarts: number;
  /** Users in the user store; 0 where clients do not authenticate. */
  readonly users: number;
  /** URL of the admin listener, where there is one. */
  readonly adminUrl: string | undefined;
  /** Traces of operators at run time. */
  readonly watch: MessageWatch;
  /** Calls `listener` for every change of a binding from now on, once it is committed; the returned function stops that. */
  subscribe(listener: BindingListener): () => void;
  /** Changes in their order, from a number on. Throws where no feed is kept. */
  changes(options?: ChangesOptions): AsyncIterableIterator<FeedEntry>;
  /** Addresses of the HTTP listeners for lookups. */
  readonly lookupHttp: readonly HttpAddress[];
  /** The joined multicast group. */
  readonly multicast: MulticastAddress | undefined;
  /** A user's contacts now. @param aor user@host or a SIP URI. */
  lookup(aor: string, preferences?: LookupPreferences): Lookup | NoLookup;
  /** The same, once sleeping devices have been woken and have registered, or their time is over. */
  wake(aor: string, preferences?: LookupPreferences): Promise<Lookup | NoLookup>;
  /** The parts with which a program reads and changes bindings. */
  readonly bindingAccess: BindingAccess;
  readonly userAccess: UserAccess;
  /** Accepts a message that the program received itself; its answer is passed to the program's `send`. */
  handle(bytes: Uint8Array, source: MessageSource): void;
  /** The number of a program's connection, for `handle`. Throws where there are as many as there may be. */
  openFlow(source: StreamSource): number;
  /** The connection has closed. */
  endFlow(flow: number): void;
  /** Changes static bindings and aliases: statics.ts has the changes. */
  changeStatic(change: (content: StaticContent) => StaticContent): void;
  /** Counts of TCP, TLS and WebSocket connections by outcome. */
  readonly connections: Readonly<FlowCounts>;
  /**
   * Applies changes of the configuration that are possible at run time; users are always current, and certificates are
   * read again. Undefined where there is no configuration to read. Rejects with a ConfigError, with nothing changed.
   */
  reload(): Promise<ReloadReport | undefined>;
  /** The configuration in force. */
  readonly config: Config;
  /** From now on /readyz reports that the server is about to stop; it still serves. */
  drain(): void;
  /** Stops receiving, finishes the received messages, closes the store. */
  stop(): Promise<void>;
}

/** A program's hooks into the running server. */
export interface ServerHooks {
  /** Sends an answer to a message that the program handed in. */
  readonly send?: SendAnswer;
  /** Sockets that are bound already and outlive the process. */
  readonly inherited?: readonly InheritedSocket[];
  /** Accepts or refuses WebSocket clients by their handshake, for example by the session cookie of a web application. */
  readonly webSocketHandshake?: HandshakeHook;
  /** Finds users that the user store does not have; replaces a provider in the configuration. */
  readonly credentials?: ProgramCredentials;
  /** Called before the first message is accepted, for listeners that must hear every change of a binding. */
  beforeServing?(subscribe: (listener: BindingListener) => () => void): void;
}
