// A row of the configuration: a key's place in the file and in a Config, its kind of value, and one sentence about it. It also
// has the time at which a change comes into force. All other facts about keys are made from the rows.

import type { Config } from '../config.ts';
import type { Kind } from './kinds.ts';

/** When a change comes into force: with the next reload, or with the next start. */
export const AT_ONCE = 'at once';
export const RESTART = 'restart';
export type InForce = typeof AT_ONCE | typeof RESTART;

/** A flag of `aorta serve`. */
export interface Flag {
  /** `--domain <name>` */
  readonly option: string;
  /** Whether it may be repeated: each adds to a list. */
  readonly many?: true;
}

interface RowOptions {
  readonly flag?: Flag;
  /** The section is invalid without it. */
  readonly required?: true;
  /** The value of a key that is left out, in words: for defaults that depend on others, or none. */
  readonly otherwise?: string;
  /** A value in the form of the file, for documents: used where there is no default to show. */
  readonly example?: unknown;
}

export interface Row<In = unknown> extends RowOptions {
  readonly is: 'row';
  /** Names of Config's fields, from the outermost in. */
  readonly at: readonly string[];
  readonly kind: Kind<unknown, In>;
  readonly inForce: InForce;
  /** One plain sentence. */
  readonly says: string;
}

export interface RequiredRow<In = unknown> extends Row<In> {
  readonly required: true;
}

export interface Section<Keys extends Rows = Rows, Short = never> {
  readonly is: 'section';
  readonly keys: Keys;
  readonly says: string;
  /** The key of a text that replaces the section. */
  readonly short?: string;
  /** For a part that a Config has only where the file has the section: its place, and its own defaults. */
  readonly part?: { readonly at: readonly string[]; readonly base: object };
  /** Used by types alone. */
  readonly shortInput?: Short;
}

/** Entries under names of the operator's choice, each with the keys of one section. */
export interface Named<
  Entry extends Section<Rows, unknown> = Section<Rows, unknown>,
  List extends Row | undefined = Row | undefined,
> {
  readonly is: 'named';
  /** Noun for the names: `domain`. */
  readonly name: string;
  readonly example: string;
  readonly at: readonly string[];
  /** The name in its form in a Config. Throws a RangeError. */
  readonly canonical: (name: string) => string;
  readonly entry: Entry;
  /** A list of the names may replace the entries; where there are entries, it is the list of their names. */
  readonly list?: List;
}

export type Node = Row | Section<Rows, unknown> | Named;
export interface Rows {
  readonly [key: string]: Node;
}

type Present<T> = Exclude<T, undefined>;
/** The type of a Config at `policy.minExpiresS`; never where it has no such field. */
type At<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof Present<T>
    ? At<Present<T>[Head], Rest>
    : never
  : P extends keyof Present<T>
    ? Present<Present<T>[P]>
    : never;

/** Rows whose values are fields of a `Root`. */
export const rowsOf =
  <Root>() =>
  /** @param at place in the root, e.g. `policy.minExpiresS` @param says one plain sentence */
  <P extends string, In, O extends RowOptions>(
    at: P,
    kind: Kind<NoInfer<At<Root, P>>, In>,
    inForce: InForce,
    says: string,
    options?: O,
  ): O extends { required: true } ? RequiredRow<In> : Row<In> => {
    const made: Row<In> = {
      ...options,
      is: 'row',
      at: at.split('.'),
      kind: kind as Kind<unknown, In>,
      inForce,
      says,
    };
    return made as O extends { required: true } ? RequiredRow<In> : Row<In>;
  };

/** A row of a Config. */
export const row = rowsOf<Config>();

/** The same rows for the part of a Config at `at`. */
export function under<Keys extends Readonly<Record<string, Row>>>(at: string, rows: Keys): Keys {
  const placed = Object.entries(rows).map(([key, one]) => [key, { ...one, at: [...at.split('.'), ...one.at] }]);
  return Object.fromEntries(placed) as Keys;
}

/** @param part for a part that a Config has only where the file has the section */
export function section<Keys extends Rows>(
  says: string,
  keys: Keys,
  part?: { readonly at: string; readonly base: object },
): Section<Keys> {
  return { is: 'section', keys, says, ...(part && { part: { at: part.at.split('.'), base: part.base } }) };
}

/** A section that may be replaced by a text, the value of one of its keys. */
export function orText<Keys extends Rows, Short extends keyof Keys & string>(
  short: Short,
  of: Section<Keys>,
): Section<Keys, Keys[Short] extends Row<infer In> ? In : never> {
  const { shortInput: _, ...rest } = of;
  return { ...rest, short };
}

export function named<Entry extends Section<Rows, unknown>, List extends Row | undefined = undefined>(
  at: string,
  names: Pick<Named, 'name' | 'example' | 'canonical'>,
  entry: Entry,
  list?: List,
): Named<Entry, List> {
  return { ...names, is: 'named', at: at.split('.'), entry, ...(list !== undefined && { list }) };
}

/** A row with its keys in the file: `['policy', 'min-expires']`. */
export interface PlacedRow {
  readonly path: readonly string[];
  readonly row: Row;
}

/** All rows below a section, in its order; an operator's names appear as `<domain>`. */
export function placedRows(of: Section<Rows, unknown>, path: readonly string[] = []): PlacedRow[] {
  return Object.entries(of.keys).flatMap(([key, node]) => {
    if (node.is === 'row') return [{ path: [...path, key], row: node }];
    if (node.is === 'named')
      return [
        ...(node.list === undefined ? [] : [{ path: [...path, key], row: node.list }]),
        ...placedRows(node.entry, [...path, key, `<${node.name}>`]),
      ];
    return placedRows(node, [...path, key]);
  });
}

/** Places of a Config whose values a reload changes at once. */
export function reloadable({ keys }: Section<Rows, unknown>): (readonly string[])[] {
  return Object.values(keys).flatMap((node) => {
    if (node.is === 'section') return reloadable(node);
    const rows = node.is === 'row' ? [node] : placedRows(node.entry).map(({ row }) => row);
    const taken = rows.every(({ inForce }) => inForce === AT_ONCE) ? [node.at] : [];
    return node.is === 'named' && node.list?.inForce === AT_ONCE ? [...taken, node.list.at] : taken;
  });
}

/** The part of the file that a program may give, as a type. */
export type InputOf<N> =
  N extends Named<infer Entry, infer List>
    ? Readonly<Record<string, InputOf<Entry>>> | (List extends Row<infer In> ? In : never)
    : N extends Section<infer Keys, infer Short>
      ? InputOfKeys<Keys> | Short
      : N extends Row<infer In>
        ? In
        : never;
type RequiredKeys<Keys> = {
  [K in keyof Keys]: Keys[K] extends { readonly required: true } ? K : never;
}[keyof Keys];
export type InputOfKeys<Keys> = { readonly [K in RequiredKeys<Keys>]: InputOf<Keys[K]> } & {
  readonly [K in Exclude<keyof Keys, RequiredKeys<Keys>>]?: InputOf<Keys[K]> | undefined;
};
