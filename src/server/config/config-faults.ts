// Conditions on a whole Config, beyond those on each field: values that are right alone and wrong together. rows/ has the
// conditions on fields, file-faults.ts those on named files.

import type { Config } from './config.ts';
import { ConfigError, type Fault, spellAsFile } from './config-problem.ts';
import { formatListenAddress, isLoopback } from './listener-text.ts';
import { adminFaults } from './sections/admin-config.ts';
import { authFaults } from './sections/auth-config.ts';
import { clusterFaults } from './sections/cluster-config.ts';
import { pushFaults } from './sections/push-config.ts';
import { tlsFaults } from './sections/tls-config.ts';

/** Combinations of values that are impossible. */
export function configFaults(config: Config): Fault[] {
  const below = (key: string, faults: readonly Fault[]) =>
    faults.map(({ path, text }): Fault => ({ path: [key, ...path], text }));
  return [
    ...below('auth', authFaults(config.auth)),
    ...below('admin', adminFaults(config.admin)),
    ...below('tls', tlsFaults(config.tls)),
    ...below('push', pushFaults(config.push, config.policy)),
    ...clusterFaults(config.cluster, config),
    ...secureListeners(config),
    ...cookieTokens(config),
    ...flowTimer(config),
    ...subscriptionIntervals(config),
    ...limitOfOthers(config),
    ...openToOthers(config),
    ...twice(config),
  ];
}

/** Refuses a faulty Config that a program made by itself. Throws a ConfigError. */
export function demandSound(config: Config): void {
  const problems = configFaults(config).map(
    ({ path, text }) => `${path.join('.')}: ${typeof text === 'string' ? text : text(spellAsFile)}`,
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

function secureListeners({ listen, tls }: Config): Fault[] {
  const faults: Fault[] = [];
  const secure = listen.find(({ transport }) => transport === 'tls' || transport === 'wss');
  if (secure !== undefined && tls === undefined)
    faults.push({
      path: ['listen'],
      text: (spell) =>
        `${formatListenAddress(secure)} needs a certificate and its key: add ${spell('tls.cert', 'FILE')} and ` +
        `${spell('tls.key', 'FILE')} (for a first try, "aorta cert self-signed" makes them)`,
    });
  if (!listen.some(({ transport }) => transport === 'wss')) return faults;
  for (const [key, wish] of [
    ['min-version', tls?.minVersion === 'TLSv1.3' && 'refuse TLS 1.2'],
    ['client-certificates', tls?.clientCertificates === 'required' && 'demand certificates of clients'],
  ] as const)
    if (wish) faults.push({ path: ['tls', key], text: `wss listeners cannot ${wish}; a proxy in front can` });
  return faults;
}

/** A browser sends cookies for any page: only pages that may connect may use them. */
function cookieTokens({ auth: { tokens }, webSocket: { origins, tokenCookie } }: Config): Fault[] {
  if (tokenCookie === '') return [];
  const path = ['websocket', 'token-cookie'];
  if (tokens === undefined) return [{ path, text: (spell) => `needs ${spell('auth.tokens')}` }];
  if (!tokens.transports.some((transport) => transport === 'ws' || transport === 'wss'))
    return [{ path, text: (spell) => `needs ws or wss among ${spell('auth.tokens.transports')}` }];
  if (!origins.includes('*')) return [];
  return [{ path, text: (spell) => `needs ${spell('websocket.origins')} without *: any page could register with it` }];
}

function flowTimer({ policy, streams: { idleMs } }: Config): Fault[] {
  const given: [string[], number | undefined][] = [
    [['policy', 'flow-timer'], policy.flowTimerS],
    ...Object.entries(policy.byDomain).map(([name, own]): [string[], number | undefined] => [
      ['domains', name, 'policy', 'flow-timer'],
      own.flowTimerS,
    ]),
  ];
  return given.flatMap(([path, seconds = 0]): Fault[] => {
    if (seconds * 1000 < idleMs) return [];
    return [
      {
        path,
        text: (spell) =>
          `${seconds} promises connections more time than ${spell('connections.idle-seconds')} has, which is ${idleMs / 1000}`,
      },
    ];
  });
}

function subscriptionIntervals({ policy: { subscriptions } }: Config): Fault[] {
  const { minExpiresS, maxExpiresS } = subscriptions;
  if (minExpiresS <= maxExpiresS) return [];
  const path = ['registration-events', 'min-expires'];
  return [
    {
      path,
      text: (spell) =>
        `${minExpiresS} is more than ${spell('registration-events.max-expires')}, which is ${maxExpiresS}`,
    },
  ];
}

/** Bindings are counted by the name of a domain. */
function limitOfOthers({ policy }: Config): Fault[] {
  if ((policy.byDomain['*']?.bindingsMax ?? 0) === 0) return [];
  return [{ path: ['domains', '*', 'policy', 'bindings-max'], text: 'needs a domain by its name' }];
}

/** Any client that reaches an open registrar can take over any address in it. */
function openToOthers({ auth, allowUnauthenticated, listen, multicast }: Config): Fault[] {
  if (auth.mode !== 'none' || allowUnauthenticated) return [];
  const fault = (key: string, what: string, verb: string): Fault => ({
    path: [key],
    text: (spell) =>
      `${what} can be reached from other machines, and without authentication anyone there could take over any ` +
      `registration. To ${verb} it all the same, add ${spell('allow-unauthenticated', 'true')}`,
  });
  return [
    ...(multicast && !isLoopback(multicast.interface) ? [fault('multicast', 'the group', 'join')] : []),
    ...listen
      .filter(({ host }) => !isLoopback(host))
      .map((address) => fault('listen', formatListenAddress(address), 'listen on')),
  ];
}

function twice({ listen }: Config): Fault[] {
  const names = listen.filter(({ port }) => port !== 0).map(formatListenAddress);
  const again = new Set(names.filter((name, i) => names.indexOf(name) < i));
  return [...again].map((name) => ({ path: ['listen'], text: `${name} is there twice` }));
}
