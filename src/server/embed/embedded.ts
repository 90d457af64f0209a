// A registrar inside a program: what `import { createRegistrar } from 'aorta'` gives. Defaults as the command has them; the work is
// that of server.ts (threads) and start-inline.ts (none).

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
  /** Opens the store and serves. Rejects with a DataDirectoryError, or the system's error where an address cannot be had. */
  start(): Promise<void>;
  /** Answers what was received, closes the store. Also where it never started; a second call waits for the first. */
  stop(): Promise<void>;
  /** Where it listens, once started; a port given as 0 is the real one. */
  readonly listen: readonly ListenAddress[];
  /**
   * Where a user is now: live contacts, best first. Reads what is committed; a few microseconds.
   * @param aor `alice@example.com` or a SIP URI
   * @param preferences the caller's (RFC 3841): contacts that are able to do something else are left out
   * @throws RangeError where it is no address-of-record, or of a domain not served
   */
  lookup(aor: string, preferences?: LookupPreferences): Lookup;
  /**
   * Where a user is once devices that sleep have been woken: with the option `push` they are sent pushes, and have `waitMs` to register.
   * Without such devices the same as `lookup`.
   * @throws RangeError as `lookup`
   */
  wake(aor: string, preferences?: LookupPreferences): Promise<Lookup>;
  /**
   * Tells `listener` of every change of a binding from now on, once it is committed; the function returned ends that. Before the
   * start, too: then from the first message on.
   */
  subscribe(listener: BindingListener): () => void;
  /**
   * Takes a message that the program received. Its answer is given to `send` once its effects are committed.
   * @throws RangeError where the source is none, or names a connection that is not open
   */
  handle(bytes: Uint8Array, source: MessageSource): void;
  /**
   * The number of a connection that the program has taken in (TCP, TLS, WebSocket): `flow` of its messages, of their answers and of
   * the bindings made over it. No connection of an earlier life has had it.
   * @throws RangeError where the source is none; Error where there are as many as the limits (`streams`) allow
   */
  openFlow(source: StreamSource): number;
  /**
   * That connection has ended: from now on no lookup gives what was registered over it (RFC 5626 §7), and it leaves the store,
   * each binding with a `flow-ended`.
   */
  endFlow(flow: number): void;
  /**
   * Every change of a binding in its order, from the one behind `since` on (by default from now on), for as long as the loop goes
   * on: `for await (const change of registrar.changes({ since }))`. Needs the option `feed`. Ends when the registrar stops, after what is
   * there.
   * @throws RangeError where `since` is no number of a change; Error where no feed is kept
   */
  changes(options?: ChangesOptions): AsyncIterableIterator<FeedEntry>;
  /** Bindings to read, add and remove. */
  readonly bindings: ProgramBindings;
  /** Users who log in. */
  readonly users: ProgramUsers;
  /** What was counted since the start, over all shards, by its name. */
  counts(): Readonly<Record<CounterName, number>>;
  /** One array per shard, by COUNTER. */
  counters(): readonly Float64Array[];
  /**
   * Changes static bindings and aliases, as `aorta binding` and `aorta alias` do: with `addBinding`, `removeBinding`, `addAlias`,
   * `removeAlias`. On disk when it returns; lookups see it within a second, in memory at once.
   * @throws StaticError where it makes no sense
   */
  changeStatic(change: (content: StaticContent) => StaticContent): void;
}

/**
 * A registrar that serves once it is started; each is for one start.
 * @throws ConfigError where the options make no sense; nothing has been done then
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

/** Those who listen before there is anything to hear: they miss nothing, since they join before the first message is taken in. */
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
