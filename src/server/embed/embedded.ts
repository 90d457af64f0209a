// A registrar inside a program: what `import { createRegistrar } from 'aorta'` gives. Defaults as the command has them; the work is
// that of server.ts (threads) and inline-registrar.ts (none).

import { randomBytes } from 'node:crypto';
import { createAorReader } from '../../core/lookup/aor-key.ts';
import type { BindingListener } from '../../shard/observe/binding-events.ts';
import { changeStatic, type StaticContent } from '../../shard/statics/static-file.ts';
import { StaticTable } from '../../shard/statics/static-table.ts';
import { unsavedNumbers } from '../../transport/flow/flow-tokens.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import { writeServed } from '../config/served-domains.ts';
import { shardDirectories } from '../data/binding-folders.ts';
import { openDataDirectory } from '../data/data-directory.ts';
import { openFlowNumbers } from '../data/flow-numbers.ts';
import { moveBindings } from '../data/move.ts';
import { settleFiles } from '../data/settled-files.ts';
import { ofServedDomains } from '../data/statics.ts';
import {
  LocationLookup,
  type Lookup,
  type LookupPreferences,
  readCallerPreferences,
} from '../lookups/location-lookup.ts';
import { ClockKeeper } from '../process/clock-keeper.ts';
import { type Server, startServer } from '../server.ts';
import { type InlineAuth, openInlineAuth } from './inline-auth.ts';
import { InlineRegistrar } from './inline-registrar.ts';
import { flowSource, type MessageSource, needFlow, noRoomForFlow, type StreamSource } from './message-source.ts';
import { ProgramFlows } from './program-flows.ts';
import { type CheckedOptions, type RegistrarOptions, readOptions } from './program-options.ts';

export interface Registrar {
  /** Opens the store and serves. Rejects with a DataDirectoryError, or the system's error where an address cannot be had. */
  start(): Promise<void>;
  /** Answers what was received, closes the store. Also where it never started. */
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
   * Tells `listener` of every change of a binding from now on, once it is committed; the function returned ends that. Before the
   * start, too: then from the first message on.
   */
  subscribe(listener: BindingListener): () => void;
  /**
   * Takes a message that the program received. Its answer goes to `send`, once what it says is committed.
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
  let stopped = false;
  const serving = (): Running => {
    if (running === undefined) throw new Error('the registrar has not been started, or is stopped');
    return running;
  };
  return {
    start: async () => {
      if (starting !== undefined) throw new Error('a registrar starts once');
      starting = start();
      running = await starting;
    },
    stop: async () => {
      stopped = true;
      const one = await starting?.catch(() => undefined);
      running = undefined;
      await one?.stop();
    },
    get listen() {
      return running?.listen ?? config.listen;
    },
    lookup: (aor, preferences) => {
      const found = serving().lookup(aor, preferences);
      if (found === 'no AOR') throw new RangeError(`"${aor}" is no address-of-record such as alice@example.com`);
      if (found === 'not served') throw new RangeError(`the domain of "${aor}" is not served here`);
      return found;
    },
    subscribe: (listener) => (running === undefined && !stopped ? early.add(listener) : serving().subscribe(listener)),
    handle: (bytes, source) => {
      if (!handsIn) throw new Error('a program that hands messages in needs the option "send" for the answers');
      serving().handle(bytes, source);
    },
    openFlow: (source) => serving().openFlow(source),
    endFlow: (flow) => running?.endFlow(flow),
    counters: () => serving().counters(),
    changeStatic: (change) => serving().changeStatic(change),
  };
}

type Subscribe = (listener: BindingListener) => () => void;

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

type Running = Pick<
  Server,
  'listen' | 'lookup' | 'subscribe' | 'handle' | 'openFlow' | 'endFlow' | 'counters' | 'stop' | 'changeStatic'
>;

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

/** One shard in this thread. */
async function startInline(
  { config, inMemory, log, credentials, send = () => {} }: CheckedOptions,
  beforeServing: (subscribe: Subscribe) => void,
): Promise<Running> {
  const directory = inMemory ? undefined : openDataDirectory(config.data, { shards: 1 });
  const keeper = new ClockKeeper({ directory: directory?.path, log });
  let auth: InlineAuth | undefined;
  try {
    if (directory !== undefined) settleFiles(directory, log);
    if (directory?.move !== undefined) await moveBindings(directory.move, directory.secret, log, () => {});
    if (directory && config.auth.mode !== 'none')
      auth = await openInlineAuth({ config, credentials, directory, clock: keeper.clock, log });
    if (directory) writeServed(directory.path, config.policy.domains);
    const numbers = directory === undefined ? unsavedNumbers() : openFlowNumbers(directory.path, log);
    const flows = new ProgramFlows(numbers, config.streams.connectionsMax);
    const secret = directory?.secret ?? randomBytes(32);
    const failed = (error: string) => log('error', 'static bindings cannot be read', { error });
    let content: StaticContent = { bindings: {}, aliases: {} };
    const statics = new StaticTable({ data: directory?.path ?? null, aor: createAorReader(secret), failed });
    const inline = new InlineRegistrar({
      clock: keeper.clock,
      policy: config.policy,
      secret,
      ...(directory && { disk: { ...config, directory: shardDirectories(directory.bindings.path, 1)[0] } }),
      ...(auth && { auth: auth.shard }),
      gate: { policy: config.abuse, trustedProxies: config.auth.trustedProxies },
      flows,
      statics,
      log,
      send,
    });
    auth?.serve((message, isUntold) => inline.again(message, isUntold));
    beforeServing((listener) => inline.events.subscribe(listener));
    const lookups = new LocationLookup({ readers: [inline.reader], secret, policy: config.policy, flows, statics });
    return {
      listen: [],
      lookup: (aor, preferences) => lookups.lookup(aor, keeper.clock.now(), readCallerPreferences(preferences)),
      subscribe: (listener) => inline.events.subscribe(listener),
      handle: (bytes, source) => {
        needFlow(source, (flow) => flows.isAlive(flow));
        inline.handle(bytes, source);
      },
      openFlow: (source) => {
        flowSource(source, 0); // refuses what is no source
        return flows.begin() || noRoomForFlow();
      },
      endFlow: (flow) => {
        if (flows.end(flow)) inline.flowEnded(flow);
      },
      counters: () => [inline.counters],
      changeStatic: (change) => {
        const served = ofServedDomains(change, config.policy.domains);
        if (directory !== undefined) return changeStatic(directory.path, served);
        content = served(content);
        statics.set(content);
      },
      stop: async () => {
        inline.close();
        await auth?.close();
        keeper.close();
        directory?.close();
      },
    };
  } catch (error) {
    await auth?.close();
    keeper.close();
    directory?.close();
    throw error;
  }
}
