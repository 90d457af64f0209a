// The schema of the configuration file, made from its rows.

import * as z from 'zod';
import { CONFIG_ROWS } from './all-rows.ts';
import { expected, type Kind } from './kinds.ts';
import type { Named, Node, Rows, Section } from './row.ts';

/** Sections and rows in the shape of the file, each value as in a Config. */
export type Raw = Readonly<Record<string, unknown>>;

/** Error of a section that is no set of keys and values. */
const section = {
  error: (issue: { code?: string; input?: unknown }) =>
    issue.code === 'invalid_type' ? expected('keys and values', issue.input) : undefined,
};

/** A value of a kind as a schema. */
export const schemaOf = <Out, In>(kind: Kind<Out, In>): z.ZodType<Out, In> =>
  z
    .custom<In>(() => true)
    .transform((value, context) => {
      let isWrong = false;
      const read = kind.read(value, (message, path = []) => {
        isWrong = true;
        context.addIssue({ code: 'custom', message, path: [...path] });
      });
      return isWrong || read === undefined ? z.NEVER : read;
    });

function ofNode(node: Node, lists: boolean, given?: unknown): z.ZodType {
  if (node.is === 'row') return node.required ? schemaOf(node.kind) : schemaOf(node.kind).optional();
  if (node.is === 'section') return ofSection(node, lists, given).optional();
  if (lists && node.list !== undefined) return schemaOf(node.list.kind).optional();
  const entry = ofSection(node.entry, lists);
  const names = z.string().superRefine(nameOf(node));
  if (node.list === undefined) return z.record(names, entry, section).optional();
  const entries = z.record(
    names,
    z.preprocess((value) => value ?? {}, entry),
    section,
  );
  return entries.refine((given) => Object.keys(given).length > 0, { error: 'is empty' }).optional();
}

const nameOf =
  ({ canonical }: Named) =>
  (name: string, context: z.RefinementCtx) => {
    try {
      canonical(name);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  };

/**
 * @param lists whether lists may stand in place of entries by name
 * @param given keys of the schema: others are left out, unless required; by default none are left out
 */
export function ofSection({ keys, short }: Section<Rows, unknown>, lists: boolean, given?: unknown): z.ZodType {
  const all = Object.entries(keys);
  const used = isGroup(given) ? all.filter(([key, node]) => Object.hasOwn(given, key) || isRequired(node)) : all;
  const below = (key: string) => (isGroup(given) ? given[key] : undefined);
  const object = z.strictObject(
    Object.fromEntries(used.map(([key, node]) => [key, ofNode(node, lists, below(key))])),
    section,
  );
  if (short === undefined) return object;
  return z.preprocess((value) => (typeof value === 'string' ? { [short]: value } : value), object);
}

function isGroup(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRequired(node: Node): boolean {
  return node.is === 'row' && node.required === true;
}

let withLists: z.ZodType<Raw> | undefined;
let withEntries: z.ZodType<Raw> | undefined;

/**
 * Schema of the configuration file; flags and a program's options have its shape.
 * @param values whose `domains` are a list or have entries
 */
export function schemaFor({ domains }: Raw): z.ZodType<Raw> {
  if (isGroup(domains)) return (withEntries ??= ofSection(CONFIG_ROWS, false) as z.ZodType<Raw>);
  return (withLists ??= ofSection(CONFIG_ROWS, true) as z.ZodType<Raw>);
}

/** The part of the schema for these values: the whole schema takes tens of milliseconds to make, and a start gives few keys. */
export function schemaOfGiven(values: Raw): z.ZodType<Raw> {
  return ofSection(CONFIG_ROWS, !isGroup(values.domains), values) as z.ZodType<Raw>;
}
