// The section `auth` of the configuration: who must authenticate, how, and where users come from besides the user store.

import { z } from 'zod';
import { type AlgorithmName, type AuthPolicy, DEFAULT_AUTH_POLICY } from '../../../core/auth/auth-policy.ts';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import { DEFAULT_HTTP_PROVIDER, type HttpProviderOptions } from '../../users/http-provider.ts';
import type { Fault } from '../config-problem.ts';
import {
  anyOf,
  choice,
  expected,
  hint,
  integer,
  listOf,
  milliseconds,
  seconds,
  section,
  text,
  yesOrNo,
} from '../config-values.ts';

export interface AuthConfig {
  /** `none`: every client may register anything. */
  readonly mode: 'none' | 'digest';
  readonly policy: AuthPolicy;
  /** Addresses and prefixes of proxies whose word about a user's identity is taken. */
  readonly trustedProxies: readonly string[];
  /** Another number ends every nonce there is: clients are challenged anew, without asking their users. */
  readonly nonceGeneration: number;
  /** Where users that the user store does not have are looked up. */
  readonly provider?: HttpProviderOptions;
}

export const DEFAULT_AUTH: AuthConfig = {
  mode: 'none',
  policy: DEFAULT_AUTH_POLICY,
  trustedProxies: [],
  nonceGeneration: 0,
};

const ALGORITHMS: readonly AlgorithmName[] = [
  'MD5',
  'SHA-256',
  'SHA-512-256',
  'MD5-sess',
  'SHA-256-sess',
  'SHA-512-256-sess',
];

const keys = z.strictObject(
  {
    mode: choice('none', 'digest').optional(),
    algorithms: listOf(parseAlgorithm).optional(),
    qop: choice('auth', 'auth,auth-int').optional(),
    'legacy-without-qop': yesOrNo.optional(),
    'nonce-lifetime-s': seconds(10, 86_400).optional(),
    'nonce-key-s': seconds(10, 7 * 86_400).optional(),
    'nc-window': integer(1, 64).optional(),
    'used-nonces': integer(1024, 1 << 24).optional(),
    'nonce-generation': integer(0, 1 << 30).optional(),
    userhash: yesOrNo.optional(),
    'log-failures': yesOrNo.optional(),
    'wrong-credentials': integer(401, 403)
      .refine((n) => n !== 402, { error: (issue) => expected('401 or 403', issue.input) })
      .optional(),
    'retry-after-s': seconds(1, 3600).optional(),
    'trusted-proxies': anyOf(parsePrefix).optional(),
    provider: z
      .strictObject(
        {
          http: z.strictObject(
            {
              url: text.refine(isTemplate, {
                error: (issue) =>
                  expected('an http or https URL with {user} in it (and {realm}, where it matters)', issue.input),
              }),
              headers: z.record(z.string(), text, section).optional(),
              'timeout-ms': milliseconds(10, 60_000).optional(),
              'ttl-s': seconds(1, 86_400).optional(),
              'negative-ttl-s': seconds(1, 86_400).optional(),
              'stale-s': seconds(0, 30 * 86_400).optional(),
              concurrency: integer(1, 1024).optional(),
              'queue-max': integer(1, 1_000_000).optional(),
              failures: integer(1, 1000).optional(),
              'open-ms': milliseconds(100, 600_000).optional(),
            },
            section,
          ),
        },
        section,
      )
      .optional(),
  },
  section,
);

/** As a mode alone, or as a section. */
export const authSchema = z.preprocess(
  (value: AuthConfig['mode'] | z.input<typeof keys>) => (typeof value === 'string' ? { mode: value } : value),
  keys,
);

type RawAuth = z.output<typeof keys>;

/** @param mode where none is given */
export function fillAuth(raw: RawAuth, mode: AuthConfig['mode']): AuthConfig {
  const policy = DEFAULT_AUTH_POLICY;
  const nonceLifetimeMs = inMs(raw['nonce-lifetime-s']) ?? policy.nonceLifetimeMs;
  const http = raw.provider?.http;
  return {
    mode: raw.mode ?? mode,
    policy: {
      ...policy,
      algorithms: raw.algorithms ?? policy.algorithms,
      qop: raw.qop ?? policy.qop,
      legacyWithoutQop: raw['legacy-without-qop'] ?? policy.legacyWithoutQop,
      nonceLifetimeMs,
      nonceKeyMs: inMs(raw['nonce-key-s']) ?? Math.max(policy.nonceKeyMs, nonceLifetimeMs),
      ncWindow: raw['nc-window'] ?? policy.ncWindow,
      usedNoncesMax: raw['used-nonces'] ?? policy.usedNoncesMax,
      userhash: raw.userhash ?? policy.userhash,
      logFailures: raw['log-failures'] ?? policy.logFailures,
      wrongCredentials: raw['wrong-credentials'] === 403 ? 403 : policy.wrongCredentials,
      retryAfterS: raw['retry-after-s'] ?? policy.retryAfterS,
    },
    trustedProxies: raw['trusted-proxies'] ?? [],
    nonceGeneration: raw['nonce-generation'] ?? DEFAULT_AUTH.nonceGeneration,
    ...(http === undefined ? {} : { provider: fillProvider(http) }),
  };
}

function fillProvider(raw: NonNullable<RawAuth['provider']>['http']): HttpProviderOptions {
  const base = DEFAULT_HTTP_PROVIDER;
  return {
    url: raw.url,
    headers: raw.headers ?? base.headers,
    timeoutMs: raw['timeout-ms'] ?? base.timeoutMs,
    ttlS: raw['ttl-s'] ?? base.ttlS,
    negativeTtlS: raw['negative-ttl-s'] ?? base.negativeTtlS,
    staleS: raw['stale-s'] ?? base.staleS,
    concurrency: raw.concurrency ?? base.concurrency,
    queueMax: raw['queue-max'] ?? base.queueMax,
    failures: raw.failures ?? base.failures,
    openMs: raw['open-ms'] ?? base.openMs,
  };
}

/** What the fields say together that cannot be; paths below `auth`. */
export function authFaults({ policy, trustedProxies }: AuthConfig): Fault[] {
  const faults: Fault[] = [];
  if (new Set(policy.algorithms).size < policy.algorithms.length)
    faults.push({ path: ['algorithms'], text: 'one is there twice' });
  if (policy.nonceKeyMs < policy.nonceLifetimeMs)
    faults.push({
      path: ['nonce-key-s'],
      text: (spell) => `is shorter than ${spell('auth.nonce-lifetime-s')}: nonces would outlive their key`,
    });
  const bad = trustedProxies.find((prefix) => parseIpPrefix(prefix) === null);
  if (bad !== undefined) faults.push({ path: ['trusted-proxies'], text: `"${bad}" is no address and no prefix` });
  return faults;
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function parseAlgorithm(name: string): AlgorithmName {
  const found = ALGORITHMS.find((known) => known.toLowerCase() === name.toLowerCase());
  if (found === undefined)
    throw new RangeError(expected(`one of ${ALGORITHMS.join(', ')}`, name) + hint(name, ALGORITHMS));
  return found;
}

function parsePrefix(prefix: string): string {
  if (parseIpPrefix(prefix) === null)
    throw new RangeError(`expected an address or a prefix such as 192.0.2.0/24, got "${prefix}"`);
  return prefix;
}

function isTemplate(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url) && url.includes('{user}');
}
