// Values of the configuration: what each kind may be, and how a wrong one is called. What there is to configure is config.ts.

import { z } from 'zod';

export const integer = (min: number, max: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value),
    z
      .number({ error: (issue) => expected(`a whole number from ${min} to ${max}`, issue.input) })
      .refine((n) => Number.isInteger(n) && n >= min && n <= max, {
        error: (issue) => expected(`a whole number from ${min} to ${max}`, issue.input),
      }),
  );

export const choice = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.enum(words, {
    error: (issue) => expected(words.length > 1 ? `one of ${words.join(', ')}` : words[0], issue.input),
  });

export const yesOrNo = z.boolean({ error: (issue) => expected('true or false', issue.input) });

export const text = z.string({ error: (issue) => expected('a text', issue.input) }).min(1, { error: 'is empty' });

/** One text or a list of them, each read by `read`, which throws a RangeError where it makes no sense. */
export const listOf = <T>(read: (text: string) => T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z
      .array(
        z.string({ error: (issue) => expected('a text', issue.input) }).transform((item, context) => {
          try {
            return read(item);
          } catch (error) {
            context.addIssue({ code: 'custom', message: (error as Error).message });
            return z.NEVER;
          }
        }),
        { error: (issue) => expected('a list', issue.input) },
      )
      .min(1, { error: 'is empty' })
      .max(64, { error: 'has more than 64 entries' }),
  );

/** What a section may be that is no set of keys and values. */
export const section = {
  error: (issue: { code?: string; input?: unknown }) =>
    issue.code === 'invalid_type' ? expected('keys and values', issue.input) : undefined,
};

export function expected(what: string, got: unknown): string {
  return `expected ${what}, got ${got === null || got === undefined ? 'nothing' : JSON.stringify(got)}`;
}
