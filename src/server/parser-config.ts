// The section `parser` of the configuration: which of the parser's leniencies are switched off.

import { z } from 'zod';
import { LENIENCIES, type Leniency } from '../sip/strictness.ts';
import { expected, section } from './config-values.ts';
import { nearest } from './nearest.ts';

/** `true` for all, `false` for none, or names of docs/parser.md. */
const strict = z.unknown().transform((value, context): readonly Leniency[] => {
  if (value === true) return LENIENCIES;
  if (value === false) return [];
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  const wrong = names.find((name) => !isLeniency(name));
  if (wrong === undefined) return names.filter(isLeniency);
  const near = typeof wrong === 'string' ? nearest(wrong, LENIENCIES) : undefined;
  const hint = near === undefined ? '' : `, did you mean "${near}"?`;
  context.addIssue({ code: 'custom', message: `${expected('true, false or names of leniencies', wrong)}${hint}` });
  return z.NEVER;
});

export const parserSchema = z.strictObject({ strict: strict.optional() }, section);

/** For suggestions. */
export const parserKeys = parserSchema.shape;

function isLeniency(name: unknown): name is Leniency {
  return LENIENCIES.some((known) => known === name);
}
