// A registrar without threads: one shard in the caller's own thread, with the directory, the users and the feed beside
// it.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createAorReader } from '../../core/lookup/aor-key.ts';
import { changeStatic, type StaticContent } from '../../shard/statics/static-file.ts';
import { StaticTable } from '../../shard/statics/static-table.ts';
import { openSubscriptions, type SubscriptionOptions } from '../../shard/subscriptions/subscription-options.ts';
import { createWaitingMemory, endWaiting } from '../../threads/waiting/pending-credentials.ts';
import { holdLookups, type WaitingLookup } from '../../threads/waiting/pending-lookups.ts';
import { unsavedNumbers } from '../../transport/flow/flow-tokens.ts';
import type { Config } from '../config/config.ts';
import { writeServed } from '../config/served-domains.ts';
import { shardDirectories } from '../data/binding-folders.ts';
import { type DataDirectory, openDataDirectory } from '../data/data-directory.ts';
import { openFlowNumbers } from '../data/flow-numbers.ts';
import { moveBindings } from '../data/move.ts';
import { settleFiles } from '../data/settled-files.ts';
import { ofServedDomains } from '../data/statics.ts';
import type { Feed } from '../feed/feed.ts';
import { needFeed, openFeed } from '../feed/open-feed.ts';
import { LocationLookup, readCallerPreferences } from '../lookups/location-lookup.ts';
import { ClockKeeper } from '../process/clock-keeper.ts';
import { openPush } from '../push/open-push.ts';
import type { PushService } from '../push/push-service.ts';
import { type InlineAuth, openInlineAuth } from './inline-auth.ts';
import { type InlineOptions, InlineRegistrar } from './inline-registrar.ts';
import { flowSource, needFlow, noCapacityForFlow } from './message-source.ts';
import { ProgramFlows } from './program-flows.ts';
import type { CheckedOptions } from './program-options.ts';
import type { Running, Subscribe } from './running.ts';

/** Starts one shard in this thread. */
export async function startInline(
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
    const statics = new StaticTable({ data: directory?.path ?? null, aor: createAorReader(secret), failed });
    const feed = directory && (await openFeed(config, directory.path, 1, log));
    const push = await openPush(config, log);
    const inline: InlineRegistrar = new InlineRegistrar({
      clock: keeper.clock,
      policy: config.policy,
      secret,
      ...(directory && { disk: { ...config, directory: shardDirectories(directory.bindings.path, 1)[0] } }),
      ...(auth && { auth: auth.shard }),
      gate: { policy: config.abuse, trustedProxies: config.auth.trustedProxies },
      flows,
      statics,
      ...(feed && { feed: feed.optionsOf(0) }),
      ...(config.policy.subscriptions.enabled && { subscriptions: subscriptionsOf(config, directory) }),
      ...(push && { wake: wakeWith(push, () => inline) }),
      log,
      send,
    });
    await feed?.start();
    auth?.serve((message, isUntold) => inline.again(message, isUntold));
    beforeServing((listener) => inline.events.subscribe(listener));
    const lookups = new LocationLookup({ readers: [inline.reader], secret, policy: config.policy, flows, statics });
    push?.start({ readers: [inline.reader], flows, now: () => keeper.clock.now() });
    return running({ config, directory, keeper, auth, flows, statics, secret, feed, push, inline, lookups });
  } catch (error) {
    await auth?.close();
    keeper.close();
    directory?.close();
    throw error;
  }
}

/** Subscriptions without own addresses: the program has the sockets. */
function subscriptionsOf({ durability }: Config, directory: DataDirectory | undefined): SubscriptionOptions {
  const kept = directory && { directory: join(shardDirectories(directory.bindings.path, 1)[0], 'subscriptions') };
  return openSubscriptions({ ...kept, syncs: durability === 'durable', sentBy: [], udpByMain: true });
}

/** Returns lookups to the registrar after their wait for devices. */
function wakeWith(push: PushService, inline: () => InlineRegistrar): NonNullable<InlineOptions['wake']> {
  const memory = createWaitingMemory();
  const tell = (lookup: WaitingLookup) => {
    void push.holdLookup(lookup).then((isLast) => {
      endWaiting(memory);
      if (isLast) inline().hasWaited(lookup);
    });
  };
  return holdLookups(memory, tell, () => inline().peers);
}

interface InlineParts {
  readonly config: Config;
  readonly directory: DataDirectory | undefined;
  readonly keeper: ClockKeeper;
  readonly auth: InlineAuth | undefined;
  readonly flows: ProgramFlows;
  readonly statics: StaticTable;
  readonly secret: Uint8Array;
  readonly feed: Feed | undefined;
  readonly push: PushService | undefined;
  readonly inline: InlineRegistrar;
  readonly lookups: LocationLookup;
}

function running(parts: InlineParts): Running {
  const { config, directory, keeper, auth, flows, statics, secret, feed, push, inline, lookups } = parts;
  let content: StaticContent = { bindings: {}, aliases: {} };
  return {
    listen: [],
    lookup: (aor, preferences) => lookups.lookup(aor, keeper.clock.now(), readCallerPreferences(preferences)),
    wake: async (aor, preferences) => {
      const asleep = push && lookups.asleep(aor, keeper.clock.now());
      if (push && asleep) await push.wake(asleep.key, asleep.devices);
      return lookups.lookup(aor, keeper.clock.now(), readCallerPreferences(preferences));
    },
    subscribe: (listener) => inline.events.subscribe(listener),
    changes: (options) => needFeed(feed).changes(options),
    bindingAccess: {
      readers: () => [inline.reader],
      secret,
      now: () => keeper.clock.now(),
      flows,
      order: (request, source) => inline.ask(request, source),
    },
    userAccess: { data: auth && directory?.path, domains: () => config.policy.domains },
    handle: (bytes, source) => {
      needFlow(source, (flow) => flows.isAlive(flow));
      inline.handle(bytes, source);
    },
    openFlow: (source) => {
      flowSource(source, 0); // refuses an invalid source
      return flows.begin() || noCapacityForFlow();
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
      push?.close();
      inline.close();
      await feed?.close();
      await auth?.close();
      keeper.close();
      directory?.close();
    },
  };
}
