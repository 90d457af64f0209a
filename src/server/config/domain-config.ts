// The rules in force for one domain, and the source of each: made from a configuration in the form of the file, as a running
// server shows it.

import { fitIntervals } from '../../core/uas/policy.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { effectiveConfig } from './effective-config.ts';
import { valueAt } from './rows/by-path.ts';
import { byDomainRows } from './rows/policy-rows.ts';

/** A value, and its key of origin: `domains.example.com.policy.path`, `policy.path`, or `default`. */
export interface InForce {
  readonly value: unknown;
  readonly from: string;
}

type Values = Readonly<Record<string, unknown>>;
type Given = Readonly<Record<string, number>>;

/** By key of `policy`, and of the values by domain. Undefined: the domain is not served. @param config as effectiveConfig gives it */
export function domainConfig(config: object, domain: string): Readonly<Record<string, InForce>> | undefined {
  const domains = valueAt(config, ['domains']) as readonly string[] | Values;
  const names = Array.isArray(domains) ? domains : Object.keys(domains);
  const name = [domain, '*'].find((one) => names.includes(one));
  if (name === undefined) return undefined;
  const own = (valueAt(domains, [name, 'policy']) ?? {}) as Values;
  const server = valueAt(config, ['policy']) as Values;
  const byDefault = valueAt(effectiveConfig(DEFAULT_CONFIG), ['policy']) as Values;
  const fitted = fittedIntervals(own as Given, server as Given);
  const found: Record<string, InForce> = {};
  for (const [key, value] of Object.entries({ ...server, ...own, ...fitted })) {
    const isDefault = JSON.stringify(value) === JSON.stringify(byDefault[key]);
    if (own[key] !== undefined) found[key] = { value, from: `domains.${name}.policy.${key}` };
    else if (value !== server[key]) found[key] = { value, from: `fits domains.${name}.policy` };
    else found[key] = { value, from: isDefault ? 'default' : `policy.${key}` };
  }
  return { ...found, ...byDomain(config, domain) };
}

function fittedIntervals(own: Given, server: Given): Given {
  const intervals = (of: Given) => ({
    minExpiresS: of['min-expires'],
    defaultExpiresS: of['default-expires'],
    maxExpiresS: of['max-expires'],
  });
  const { minExpiresS, defaultExpiresS, maxExpiresS } = fitIntervals(intervals(own), intervals(server));
  return { 'default-expires': defaultExpiresS, 'min-expires': minExpiresS, 'max-expires': maxExpiresS };
}

function byDomain(config: object, domain: string): Readonly<Record<string, InForce>> {
  const found: Record<string, InForce> = {};
  for (const key of Object.keys(byDomainRows)) {
    const name = [domain, '*'].find((one) => valueAt(config, [key, one]) !== undefined);
    if (name !== undefined) found[key] = { value: valueAt(config, [key, name]), from: `${key}.${name}` };
  }
  return found;
}
