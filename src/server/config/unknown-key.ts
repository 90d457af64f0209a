// A key that the configuration does not have: its right place, or the likely key.

import * as z from 'zod';
import type { Spell } from './config-problem.ts';
import { nearest } from './nearest.ts';

type Shape = Readonly<Record<string, unknown>>;

/** Largest edit distance to a key of another section: less than within its own, or every word would resemble some key. */
const ELSEWHERE_EDITS = 2;

/** A schema without `optional`, defaults and readers of its texts. */
export function bareSchema(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional) return bareSchema(schema.unwrap());
  if (schema instanceof z.ZodPipe) {
    const { in: input, out } = schema.def;
    return input instanceof z.ZodTransform ? bareSchema(out) : bareSchema(input);
  }
  return schema;
}

/** The schema at a key, or at any key of a record. */
export function schemaBelow(schema: unknown, key: PropertyKey): unknown {
  const bare = bareSchema(schema);
  if (bare instanceof z.ZodObject)
    return Object.hasOwn(bare.shape, key) ? (bare.shape as Shape)[String(key)] : undefined;
  if (bare instanceof z.ZodRecord) return bare.def.valueType;
  if (bare instanceof z.ZodArray) return bare.element;
  return undefined;
}

/** Text after "unknown key". @param path of the key's section */
export function suggestKey(schema: z.ZodType, path: readonly PropertyKey[], key: string, spell: Spell): string {
  const own = shapeOf(path.reduce<unknown>(schemaBelow, schema));
  const here = own && nearest(key, Object.keys(own));
  if (here !== undefined) return `, did you mean "${spell(here)}"?`;
  const others = [...sections(schema)].filter(([, shape]) => shape !== own);
  const exact = others.find(([, shape]) => Object.hasOwn(shape, key));
  if (exact !== undefined) return exact[0] === '' ? ', it stands at the top level' : `, it stands under "${exact[0]}"`;
  for (const [section, shape] of others) {
    const near = nearest(key, Object.keys(shape), ELSEWHERE_EDITS);
    if (near !== undefined) return `, did you mean "${spell(section === '' ? near : `${section}.${near}`)}"?`;
  }
  return '';
}

function shapeOf(schema: unknown): Shape | undefined {
  const bare = bareSchema(schema);
  return bare instanceof z.ZodObject ? bare.shape : undefined;
}

/** All sections by their path, except those under names of the operator's choice. */
function* sections(schema: unknown, path = ''): Generator<[path: string, shape: Shape]> {
  const shape = shapeOf(schema);
  if (shape === undefined) return;
  yield [path, shape];
  for (const [key, below] of Object.entries(shape)) yield* sections(below, path === '' ? key : `${path}.${key}`);
}
