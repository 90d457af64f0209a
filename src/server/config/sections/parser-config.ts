// The section `parser` of the configuration: which of the parser's leniencies are switched off.

import { z } from 'zod';
import { LENIENCIES, type Leniency } from '../../../sip/parser/strictness.ts';
import { expected, hint, section } from '../config-values.ts';

/** `true` for all, `false` for none, or names of docs/parser.md. */
const strict = z
  .custom<boolean | Leniency | readonly Leniency[]>(() => true)
  .transform((value, context): readonly Leniency[] => {
    if (value === true) return LENIENCIES;
    if (value === false) return [];
    const names: readonly unknown[] = Array.isArray(value) ? value : [value];
    const wrong = names.find((name) => !isLeniency(name));
    if (wrong === undefined) return names.filter(isLeniency);
    context.addIssue({
      code: 'custom',
      message: `${expected('true, false or names of leniencies', wrong)}${hint(wrong, LENIENCIES)}`,
    });
    return z.NEVER;
  });

export const parserSchema = z.strictObject({ strict: strict.optional() }, section);

function isLeniency(name: unknown): name is Leniency {
  return LENIENCIES.some((known) => known === name);
}
