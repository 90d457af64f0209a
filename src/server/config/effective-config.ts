// A Config in the form of the configuration file, secrets left out: for people who ask what is in force. The way there is
// config.ts's.

import { DEFAULT_LOOKUP_POLICY } from '../../core/uas/lookup-policy.ts';
import type { Config } from './config.ts';
import { httpUrl } from './http-address.ts';
import { formatListenAddress } from './listener-text.ts';
import { effectiveStreams, effectiveTls } from './sections/stream-config.ts';

const HIDDEN = '(hidden)';

export function effectiveConfig(config: Config): Record<string, unknown> {
  const { policy, auth, abuse, admin, hep } = config;
  return {
    listen: config.listen.map(formatListenAddress),
    domains: policy.domains,
    ...(policy.serverNames.length > 0 && { 'server-names': policy.serverNames }),
    ...(Object.keys(policy.serviceRoutes).length > 0 && { 'service-route': policy.serviceRoutes }),
    ...(Object.keys(policy.associatedUris).length > 0 && { 'associated-uris': policy.associatedUris }),
    data: config.data,
    ...(config.shards !== undefined && { shards: config.shards }),
    'allow-unauthenticated': config.allowUnauthenticated,
    durability: config.durability,
    udp: config.udp,
    'log-level': config.logLevel,
    ...(admin && {
      admin: {
        listen: httpUrl(admin.listen),
        'require-token': admin.requireToken,
        ...(admin.tls && { certificate: admin.tls.certificate, key: admin.tls.key }),
      },
    }),
    auth: {
      mode: auth.mode,
      algorithms: auth.policy.algorithms,
      qop: auth.policy.qop,
      'legacy-without-qop': auth.policy.legacyWithoutQop,
      'nonce-lifetime-s': auth.policy.nonceLifetimeMs / 1000,
      'nonce-key-s': auth.policy.nonceKeyMs / 1000,
      'nc-window': auth.policy.ncWindow,
      'used-nonces': auth.policy.usedNoncesMax,
      'nonce-generation': auth.nonceGeneration,
      userhash: auth.policy.userhash,
      'log-failures': auth.policy.logFailures,
      'wrong-credentials': auth.policy.wrongCredentials,
      'retry-after-s': auth.policy.retryAfterS,
      ...filled('trusted-proxies', auth.trustedProxies),
      ...(auth.provider && { provider: { http: provider(auth.provider) } }),
    },
    drain: hyphened(config.drain),
    abuse: hyphened(abuse),
    ...connections(config),
    lookup: {
      sip: policy.lookup.sip,
      ...filled(
        'from',
        policy.lookup.from.filter((prefix) => !DEFAULT_LOOKUP_POLICY.from.includes(prefix)),
      ),
      ...filled(
        'http',
        config.lookupHttp.map(({ host, port }) => hostPort(host, port)),
      ),
    },
    location: { shared: config.sharedLocation },
    ...(hep && { hep: effectiveHep(hep) }),
    ...rules(config),
  };
}

function rules({ policy, checkpointBytes }: Config): Record<string, unknown> {
  return {
    ...(policy.strict.length > 0 && { parser: { strict: policy.strict } }),
    policy: {
      'default-expires': policy.defaultExpiresS,
      'min-expires': policy.minExpiresS,
      'max-expires': policy.maxExpiresS,
      'expires-jitter': policy.expiresJitterPercent,
      'contacts-per-aor': policy.contactsPerAorMax,
      'contacts-overflow': policy.contactsOverflow,
      'overload-target-ms': policy.overloadTargetMs,
      'retry-after-max': policy.retryAfterMaxS,
      'connection-bindings': policy.connectionBindings,
      'flow-grace': policy.flowGraceS,
      path: policy.path,
      outbound: policy.outbound,
      'flow-timer': policy.flowTimerS,
      gruu: policy.gruu,
      'gruu-generation': policy.gruuGeneration,
      warning: policy.warning,
      'history-refreshes': policy.historyRefreshes,
    },
    limits: {
      'aor-bytes': policy.aorBytesMax,
      'contact-bytes': policy.contactBytesMax,
      'path-bytes': policy.pathBytesMax,
      'call-id-bytes': policy.callIdBytesMax,
      'message-bytes': policy.messageBytesMax,
      'timer-j-ms': policy.timerJMs,
      transactions: policy.transactionsMax,
      'answer-bytes': policy.answerBytesMax,
      'history-bytes': policy.historyBytes,
      'checkpoint-bytes': checkpointBytes,
    },
  };
}

function effectiveHep({ host, port, samplePercent, captureId, authKey }: NonNullable<Config['hep']>): object {
  const to = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { to, sample: samplePercent, 'capture-id': captureId, ...(authKey !== undefined && { 'auth-key': HIDDEN }) };
}

/** The file takes no empty lists. */
function filled(key: string, list: readonly string[]): Record<string, unknown> {
  return list.length > 0 ? { [key]: list } : {};
}

function connections({ streams, tls, webSocket, multicast }: Config): Record<string, unknown> {
  return {
    ...(multicast && { multicast }),
    connections: effectiveStreams(streams),
    ...(tls && { tls: effectiveTls(tls) }),
    websocket: {
      origins: webSocket.origins,
      'idle-seconds': webSocket.idleS,
      ...(webSocket.trustedProxies.length > 0 && { 'trusted-proxies': webSocket.trustedProxies }),
    },
  };
}

function provider(options: NonNullable<Config['auth']['provider']>): Record<string, unknown> {
  const headers = Object.fromEntries(Object.keys(options.headers).map((name) => [name, HIDDEN]));
  return { ...hyphened(options), url: withoutPassword(options.url), headers };
}

/** A URL may carry a name and a password. */
function withoutPassword(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, `$1${HIDDEN}@`);
}

function hostPort(host: string, port: number): string {
  return `http:${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A flat object under the keys of the file: `failureCost` is `failure-cost` there. */
function hyphened(values: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`), value]),
  );
}
