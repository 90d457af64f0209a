// What changed between two configurations, and which of it can be put in force while the server runs.

import type { Config } from './config.ts';
import { effectiveConfig } from './effective-config.ts';

export interface ReloadReport {
  /** Keys of the configuration file that changed and are in force now, e.g. `log-level`. */
  readonly applied: readonly string[];
  /** Changed, and in force only after a restart. */
  readonly needRestart: readonly string[];
}

/** Puts one key in force; what it knows how to. */
export type Appliers = Readonly<Record<string, (next: Config) => void>>;

/** Applies what `appliers` can of the differences; a key without one needs a restart. */
export function applyChanges(before: Config, next: Config, appliers: Appliers): ReloadReport {
  const changed = differences(flat(effectiveConfig(before)), flat(effectiveConfig(next)));
  const applied = changed.filter((key) => key in appliers);
  for (const key of applied) appliers[key](next);
  return { applied, needRestart: changed.filter((key) => !(key in appliers)) };
}

function differences(before: ReadonlyMap<string, string>, next: ReadonlyMap<string, string>): string[] {
  return [...new Set([...before.keys(), ...next.keys()])].filter((key) => before.get(key) !== next.get(key)).sort();
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
