// A running server as those see it who started it, and what they may have a say in. What it does is server.ts'.

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
  /** Where it listens; a port given as 0 is the real one here. */
  readonly listen: readonly ListenAddress[];
  /** How UDP is moved: `native` batches in the shards, or `dgram` on the main thread. */
  readonly udp: 'native' | 'dgram';
  /** One array per shard, by COUNTER of shard/observe/counters. */
  counters(): readonly Float64Array[];
  /** Shards that died and were started again. */
  readonly restarts: number;
  /** Users in the user store; 0 where nobody authenticates. */
  readonly users: number;
  /** Of the admin listener, where there is one. */
  readonly adminUrl: string | undefined;
  /** What operators trace while it runs. */
  readonly watch: MessageWatch;
  /** Tells `listener` of every change of a binding from now on, once it is committed; the function returned ends that. */
  subscribe(listener: BindingListener): () => void;
  /** Changes in their order, from one on. Throws where no feed is kept. */
  changes(options?: ChangesOptions): AsyncIterableIterator<FeedEntry>;
  /** Where lookups are answered by HTTP. */
  readonly lookupHttp: readonly HttpAddress[];
  /** The multicast group that was joined. */
  readonly multicast: MulticastAddress | undefined;
  /** Where a user is now. @param aor user@host or a SIP URI. */
  lookup(aor: string, preferences?: LookupPreferences): Lookup | NoLookup;
  /** The same, once devices that sleep have been woken and have registered, or have had their time. */
  wake(aor: string, preferences?: LookupPreferences): Promise<Lookup | NoLookup>;
  /** What bindings are read and changed by, for a program. */
  readonly bindingAccess: BindingAccess;
  readonly userAccess: UserAccess;
  /** Takes a message that the program received itself; its answer goes to the program's `send`. */
  handle(bytes: Uint8Array, source: MessageSource): void;
  /** A connection that the program has: its number, for `handle`. Throws where there are as many as there may be. */
  openFlow(source: StreamSource): number;
  /** It has ended. */
  endFlow(flow: number): void;
  /** Changes static bindings and aliases: see statics.ts for the changes there are. */
  changeStatic(change: (content: StaticContent) => StaticContent): void;
  /** TCP, TLS and WebSocket connections, and what became of them. */
  readonly connections: Readonly<FlowCounts>;
  /**
   * Applies what changed in the configuration and can be applied at run time; users are always current, and certificates
   * are read anew. Undefined where there is no configuration to read. Rejects with a ConfigError, with nothing changed.
   */
  reload(): Promise<ReloadReport | undefined>;
  /** The configuration in force. */
  readonly config: Config;
  /** From now on /readyz says that the server is about to stop; it serves on. */
  drain(): void;
  /** Stops receiving, finishes what was received, closes the store. */
  stop(): Promise<void>;
}

/** Where a program has a say while the server runs. */
export interface ServerHooks {
  /** Sends an answer to a message that the program handed in. */
  readonly send?: SendAnswer;
  /** Sockets that are bound already and outlive the process. */
  readonly inherited?: readonly InheritedSocket[];
  /** Lets WebSocket clients in or not, by what their handshake says: the session cookie of a web application, say. */
  readonly webSocketHandshake?: HandshakeHook;
  /** Knows users whom the user store does not have; instead of a provider in the configuration. */
  readonly credentials?: ProgramCredentials;
  /** Called before the first message is taken in, for those who want to hear of every change of a binding. */
  beforeServing?(subscribe: (listener: BindingListener) => () => void): void;
}
