// A configuration read again while the server runs: the part in force at once, and the part that waits for a restart. Also the
// difference between two configurations, by the names of the file.

import type { ShardSettings } from '../../shard/shard-settings.ts';
import { withOwnAddresses } from '../process/own-names.ts';
import type { Config } from './config.ts';
import { effectiveConfig } from './effective-config.ts';
import { CONFIG_ROWS } from './rows/all-rows.ts';
import { valueAt, withValue } from './rows/by-path.ts';
import { HIDDEN } from './rows/kinds.ts';
import { type Rows, reloadable, type Section } from './rows/row.ts';

export interface ReloadReport {
  /** Keys of the configuration file that changed and are in force now, e.g. `log-level`; and files of tokens, e.g. `admin-token`. */
  readonly applied: readonly string[];
  /** Keys that changed and are in force only after a restart. */
  readonly needRestart: readonly string[];
}

/** The Config in force after a reload of `next`: its values that the rows allow to change at once, the other values as before. */
export function afterReload(now: Config, next: Config): Config {
  return reloadable(CONFIG_ROWS).reduce((config, at) => withValue(config, at, valueAt(next, at)), now);
}

/** @param before in force until now @param now in force from now on @param next the configuration read */
export function reloadReport(before: Config, now: Config, next: Config): ReloadReport {
  return { applied: differences(before, now), needRestart: differences(now, next) };
}

/** A configuration's rules for the shards. */
export function shardSettings({ policy, auth, abuse, listen }: Config): ShardSettings {
  const rules = { policy: auth.policy, generation: auth.nonceGeneration, realms: policy.domains };
  return {
    policy: withOwnAddresses(policy, listen),
    ...(auth.mode !== 'none' && { auth: rules }),
    gate: { policy: abuse, trustedProxies: auth.trustedProxies },
  };
}

function differences(one: Config, other: Config): string[] {
  const [a, b] = [flat(effectiveConfig(one)), flat(effectiveConfig(other))];
  const seen = [...a.keys(), ...b.keys()].filter((key) => a.get(key) !== b.get(key));
  return [...new Set([...seen, ...unseen(CONFIG_ROWS, one, other)])].sort();
}

/** Keys with another secret: their shown values are equal. */
function unseen(section: Section<Rows, unknown>, one: Config, other: Config, prefix = ''): string[] {
  return Object.entries(section.keys).flatMap(([key, node]) => {
    if (node.is === 'section') return unseen(node, one, other, `${prefix}${key}.`);
    const [a, b] = [valueAt(one, node.at), valueAt(other, node.at)];
    if (node.is === 'named' || a === undefined || b === undefined) return [];
    const isHidden = [a, b].some((value) => JSON.stringify(node.kind.show(value)).includes(HIDDEN));
    return isHidden && JSON.stringify(a) !== JSON.stringify(b) ? [prefix + key] : [];
  });
}

/** `policy.min-expires` → the value's JSON. */
function flat(values: object, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(values)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
    } else found.set(prefix + key, JSON.stringify(value));
  }
  return found;
}
