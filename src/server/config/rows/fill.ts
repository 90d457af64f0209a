// From raw values to a Config and back, row by row.

import { valueAt, withValue } from './by-path.ts';
import type { Raw } from './file-schema.ts';
import type { Named, Rows, Section } from './row.ts';

/** The later source wins, key by key; lists and maps count whole. */
export function mergeRaw({ keys }: Section<Rows, unknown>, one: Raw, other: Raw): Raw {
  const merged: Record<string, unknown> = { ...one };
  for (const [key, value] of Object.entries(other)) {
    if (value === undefined) continue;
    const node = keys[key];
    const isSection = node?.is === 'section' && merged[key] !== undefined;
    merged[key] = isSection ? mergeRaw(node, merged[key] as Raw, value as Raw) : value;
  }
  return merged;
}

/** @param base values of keys that the file leaves out */
export function fillRows<T extends object>({ keys, part }: Section<Rows, unknown>, raw: Raw, base: T): T {
  let filled = part === undefined ? base : withValue(base, part.at, part.base);
  for (const [key, node] of Object.entries(keys)) {
    const value = raw[key];
    if (value === undefined) continue;
    if (node.is === 'section') filled = fillRows(node, value as Raw, filled);
    else if (node.is === 'row') filled = withValue(filled, node.at, value);
    else filled = fillNamed(node, value, filled);
  }
  return filled;
}

/** Fills in entries, or the list of their names. */
function fillNamed<T extends object>(node: Named, value: unknown, base: T): T {
  const { at, list } = node;
  if (Array.isArray(value)) return list === undefined ? base : withValue(base, list.at, value);
  const entries = entriesOf(node, value as Raw);
  if (list === undefined) return withValue(base, at, entries);
  const own = Object.entries(entries).filter(([, entry]) => Object.keys(entry).length > 0);
  return withValue(withValue(base, list.at, Object.keys(entries)), at, Object.fromEntries(own));
}

function entriesOf({ canonical, entry }: Named, raw: Raw): object {
  return Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [canonical(name), fillRows(entry, value as Raw, {})]),
  );
}

/** A Config in the form of the file, with secrets hidden. Empty lists that are the default are left out. */
export function showRows(section: Section<Rows, unknown>, config: object, defaults: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, node] of Object.entries(section.keys)) {
    const value = node.is === 'section' ? partOf(node, config, defaults) : shownAt(node, config, defaults);
    if (value !== undefined) shown[key] = value;
  }
  return shown;
}

function partOf(section: Section<Rows, unknown>, config: object, defaults: object): object | undefined {
  const shown = showRows(section, config, defaults);
  return Object.keys(shown).length === 0 ? undefined : shown;
}

function shownAt(node: Exclude<Rows[string], Section<Rows, unknown>>, config: object, defaults: object): unknown {
  const value = valueAt(config, node.at);
  if (value === undefined) return undefined;
  if (node.is === 'named') {
    const names = valueAt(config, node.list?.at ?? []);
    if (node.list !== undefined && isEmpty(value)) return shownAt(node.list, config, defaults);
    const entries = Array.isArray(names)
      ? names.map((name) => [name, valueAt(value, [name]) ?? {}])
      : Object.entries(value as object);
    return Object.fromEntries(entries.map(([name, entry]) => [name, showRows(node.entry, entry as object, {})]));
  }
  const shown = node.kind.show(value);
  if (!isEmpty(shown)) return shown;
  const byDefault = valueAt(defaults, node.at);
  return byDefault === undefined || isEmpty(node.kind.show(byDefault)) ? undefined : shown;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
