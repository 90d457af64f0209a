// A registrar inside a program: `import { createRegistrar } from 'aorta'`. It has the command's defaults; server.ts (with threads) and
// start-inline.ts (without) do the work.

import type { BindingListener } from '../../shard/observe/binding-events.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../shard/observe/counters.ts';
import type { StaticContent } from '../../shard/statics/static-file.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import type { ChangesOptions } from '../feed/feed.ts';
import type { FeedEntry } from '../feed/feed-reader.ts';
import type { Lookup, LookupPreferences, NoLookup } from '../lookups/location-lookup.ts';
import { startServer } from '../server.ts';
import { type MessageSource, needMessage, type StreamSource } from './message-source.ts';
import { type ProgramBindings, programBindings } from './program-bindings.ts';
import { type CheckedOptions, type RegistrarOptions, readOptions } from './program-options.ts';
import { type ProgramUsers, programUsers } from './program-users.ts';
import type { Running, Subscribe } from './running.ts';
import { startInline } from './start-inline.ts';

export interface Registrar {
  /** Opens the store and serves. Rejects with a DataDirectoryError, or the system's error where an address cannot be bound. */
  start(): Promise<void>;
  /** Answers received messages and closes the store. It may be called without a start; a second call waits for the first. */
  stop(): Promise<void>;
  /** The addresses that it listens on, once started; a port given as 0 is the real one. */
  readonly listen: readonly ListenAddress[];
  /**
   * A user's live contacts, best first. Reads committed bindings; takes a few microseconds.
   * @param aor `alice@example.com` or a SIP URI
   * @param preferences the caller's (RFC 3841): contacts known not to match are left out
   * @throws RangeError where it is no address-of-record, or of a domain not served
   */
  lookup(aor: string, preferences?: LookupPreferences): Lookup;
  /**
   * A user's contacts after a wake of sleeping devices: with the option `push` they get pushes, and have `waitMs` to register. Without
   * such devices the same as `lookup`.
   * @throws RangeError as `lookup`
   */
  wake(aor: string, preferences?: LookupPreferences): Promise<Lookup>;
  /**
   * Calls `listener` for every change of a binding from now on, once it is committed; the returned function stops that. A call before the
   * start covers all messages from the first on.
   */
  subscribe(listener: BindingListener): () => void;
  /**
   * Accepts a message that the program received. Its answer is passed to `send` once its effects are committed.
   * @throws RangeError where the source is invalid, or names a connection that is not open
   */
  handle(bytes: Uint8Array, source: MessageSource): void;
  /**
   * The number of a connection that the program has accepted (TCP, TLS, WebSocket): `flow` of its messages, of their answers and of the
   * bindings made over it. No connection of an earlier life has had it.
   * @throws RangeError where the source is invalid; Error where there are as many as the limits (`streams`) allow
   */
  openFlow(source: StreamSource): number;
  /**
   * That connection has closed: from now on no lookup returns bindings made over it (RFC 5626 §7), and they are removed from the store,
   * each with a `flow-ended`.
   */
  endFlow(flow: number): void;
  /**
   * Every change of a binding in its order, from the one after `since` on (by default from now on), for as long as the loop runs: `for
   * await (const change of registrar.changes({ since }))`. Needs the option `feed`. When the registrar stops, it ends after the last
   * change.
   * @throws RangeError where `since` is no number of a change; Error where no feed is kept
   */
  changes(options?: ChangesOptions): AsyncIterableIterator<FeedEntry>;
  /** Bindings to read, add and remove. */
  readonly bindings: ProgramBindings;
  /** Users who authenticate. */
  readonly users: ProgramUsers;
  /** Counters since the start, over all shards, by name. */
  counts(): Readonly<Record<CounterName, number>>;
  /** Counters of each shard, by COUNTER. */
  counters(): readonly Float64Array[];
  /**
   * Changes static bindings and aliases, as `aorta binding` and `aorta alias` do: with `addBinding`, `removeBinding`, `addAlias`,
   * `removeAlias`. On disk when it returns; lookups see it within a second, in memory at once.
   * @throws StaticError where the change is invalid
   */
  changeStatic(change: (content: StaticContent) => StaticContent): void;
}

/**
 * A registrar that serves once it is started; each can be started once.
 * @throws ConfigError where the options are invalid; it has no other effect then
 */
export function createRegistrar(options: RegistrarOptions = {}): Registrar {
  const checked = readOptions(options);
  const { config } = checked;
  const handsIn = checked.send !== undefined;
  const early = new EarlyListeners();
  const beforeServing = (subscribe: Subscribe) => early.join(subscribe);
  const start = () => (checked.threads ? startThreads(checked, beforeServing) : startInline(checked, beforeServing));
  let running: Running | undefined;
  let starting: Promise<Running> | undefined;
  let ending: Promise<void> | undefined;
  let stopped = false;
  const serving = (): Running => {
    if (running === undefined) throw new Error('the registrar has not been started, or is stopped');
    return running;
  };
  const users = programUsers(() => serving().userAccess);
  const end = async (one: Running) => {
    await users.close();
    await one.stop();
  };
  return {
    bindings: programBindings(() => serving().bindingAccess),
    users,
    start: async () => {
      if (starting !== undefined) throw new Error('a registrar starts once');
      starting = start();
      running = await starting;
    },
    stop: async () => {
      stopped = true;
      const one = await starting?.catch(() => undefined);
      running = undefined;
      if (one !== undefined) await (ending ??= end(one));
    },
    get listen() {
      return running?.listen ?? config.listen;
    },
    lookup: (aor, preferences) => found(aor, serving().lookup(aor, preferences)),
    wake: async (aor, preferences) => found(aor, await serving().wake(aor, preferences)),
    subscribe: (listener) => (running === undefined && !stopped ? early.add(listener) : serving().subscribe(listener)),
    handle: (bytes, source) => {
      if (!handsIn) throw new Error('a program that hands messages in needs the option "send" for the answers');
      needMessage(bytes, source);
      serving().handle(bytes, source);
    },
    openFlow: (source) => serving().openFlow(source),
    endFlow: (flow) => running?.endFlow(flow),
    changes: (options) => serving().changes(options),
    counts: () => totals(serving().counters()),
    counters: () => serving().counters(),
    changeStatic: (change) => serving().changeStatic(change),
  };
}

/** Throws a RangeError. */
function found(aor: string, lookup: Lookup | NoLookup): Lookup {
  if (lookup === 'no AOR') throw new RangeError(`"${aor}" is no address-of-record such as alice@example.com`);
  if (lookup === 'not served') throw new RangeError(`the domain of "${aor}" is not served here`);
  return lookup;
}

function totals(counters: readonly Float64Array[]): Readonly<Record<CounterName, number>> {
  const sum = (name: CounterName) => counters.reduce((total, shard) => total + shard[COUNTER[name]], 0);
  return Object.fromEntries(COUNTER_NAMES.map((name) => [name, sum(name)])) as Record<CounterName, number>;
}

/** Listeners from before the start: they miss nothing, since they are subscribed before the first message is accepted. */
class EarlyListeners {
  private readonly listeners = new Map<BindingListener, (() => void) | undefined>();
  private subscribe: Subscribe | undefined;

  add(listener: BindingListener): () => void {
    const own: BindingListener = (event) => listener(event);
    this.listeners.set(own, this.subscribe?.(own));
    return () => {
      this.listeners.get(own)?.();
      this.listeners.delete(own);
    };
  }

  join(subscribe: Subscribe): void {
    this.subscribe = subscribe;
    for (const own of this.listeners.keys()) this.listeners.set(own, subscribe(own));
  }
}

async function startThreads(
  { config, log, send, webSocketHandshake, credentials }: CheckedOptions,
  beforeServing: (subscribe: Subscribe) => void,
): Promise<Running> {
  return startServer(config, log, {
    beforeServing,
    ...(send && { send }),
    ...(webSocketHandshake && { webSocketHandshake }),
    ...(credentials && { credentials }),
  });
}
