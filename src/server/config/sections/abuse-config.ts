// The section `abuse` of the configuration: the numbers of abuse-policy.ts under their names with hyphens.

import { z } from 'zod';
import { type AbusePolicy, DEFAULT_ABUSE_POLICY } from '../../../core/abuse/abuse-policy.ts';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import { expected, section, yesOrNo } from '../config-values.ts';
import { exampleOf, parseQuantity } from '../quantities.ts';

type NumberKey = { [K in keyof AbusePolicy]: AbusePolicy[K] extends number ? K : never }[keyof AbusePolicy];

const NUMBER_MAX = 1e9;
const numberKeys = (Object.keys(DEFAULT_ABUSE_POLICY) as (keyof AbusePolicy)[]).filter(
  (key): key is NumberKey => typeof DEFAULT_ABUSE_POLICY[key] === 'number',
);

/** Numbers that may not be anything. */
const MAX: { readonly [K in NumberKey]?: number } = {
  ipv4PrefixBits: 32,
  ipv6PrefixBits: 128,
  ipv6AggregateBits: 128,
  sourcesMax: 1 << 24,
  flowsMax: 1 << 24,
  aorsMax: 1 << 24,
};

/** Seconds, not so many a second. */
const DURATION = /(?<!Per)S$/;

function amount(key: NumberKey) {
  const max = MAX[key] ?? NUMBER_MAX;
  const isDuration = DURATION.test(key);
  const range = isDuration ? `seconds from 0 to ${max}, or ${exampleOf('seconds')}` : `a number from 0 to ${max}`;
  return z
    .custom<number | string>(() => true)
    .transform((value, context) => {
      const number = isDuration && typeof value === 'string' ? parseQuantity(value, 'seconds') : value;
      if (typeof number === 'number' && number >= 0 && number <= max) return number;
      context.addIssue({ code: 'custom', message: expected(range, value) });
      return z.NEVER;
    });
}
const texts = z.array(z.string({ error: (issue) => expected('a text', issue.input) }), {
  error: (issue) => expected('a list', issue.input),
});
const prefix = z
  .string({ error: (issue) => expected('an address or prefix', issue.input) })
  .refine((text) => parseIpPrefix(text) !== null, {
    error: (issue) => expected('an address or prefix, e.g. 192.0.2.0/24', issue.input),
  });

const schema = z.strictObject(
  {
    enabled: yesOrNo.optional(),
    unlimited: z.array(prefix, { error: (issue) => expected('a list', issue.input) }).optional(),
    'scanner-agents': texts.optional(),
    ...Object.fromEntries(numberKeys.map((key) => [hyphened(key), amount(key).optional()])),
  },
  section,
);

export const abuseSchema = schema;

export function fillAbuse(raw: z.output<typeof schema>): AbusePolicy {
  const numbers: { [K in NumberKey]?: number } = {};
  for (const key of numberKeys) {
    const value = (raw as Record<string, unknown>)[hyphened(key)];
    if (typeof value === 'number') numbers[key] = value;
  }
  return {
    ...DEFAULT_ABUSE_POLICY,
    ...numbers,
    ...(raw.enabled !== undefined && { enabled: raw.enabled }),
    ...(raw.unlimited && { unlimited: raw.unlimited }),
    ...(raw['scanner-agents'] && { scannerAgents: raw['scanner-agents'] }),
  };
}

/** ipv4PrefixBits → ipv4-prefix-bits */
function hyphened(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
