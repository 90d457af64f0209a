// The schema of the configuration file, made from its rows.

import { z } from 'zod';
import { CONFIG_ROWS } from './all-rows.ts';
import { expected, type Kind } from './kinds.ts';
import type { Node, Rows, Section } from './row.ts';

/** Sections and rows as the file has them, each value as a Config has it. */
export type Raw = Readonly<Record<string, unknown>>;

/** What a section may be that is no set of keys and values. */
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

function ofNode(node: Node): z.ZodType {
  if (node.is === 'row') return node.required ? schemaOf(node.kind) : schemaOf(node.kind).optional();
  if (node.is === 'named') return z.record(z.string(), ofSection(node.entry), section).optional();
  return ofSection(node).optional();
}

function ofSection({ keys, short }: Section<Rows, unknown>): z.ZodType {
  const shape = Object.fromEntries(Object.entries(keys).map(([key, node]) => [key, ofNode(node)]));
  const object = z.strictObject(shape, section);
  if (short === undefined) return object;
  return z.preprocess((value) => (typeof value === 'string' ? { [short]: value } : value), object);
}

/** The configuration file; flags and a program's options in its shape. */
export const fileSchema = ofSection(CONFIG_ROWS) as z.ZodType<Raw>;
