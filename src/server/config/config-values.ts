// Values of the configuration: what each kind may be, and how a wrong one is called. What there is to configure is config.ts.

import { inspect } from 'node:util';
import { z } from 'zod';
import { nearest } from './nearest.ts';
import { exampleOf, parseQuantity, type Quantity } from './quantities.ts';

export const integer = (min: number, max: number) =>
  whole(`a whole number from ${min} to ${max}`, min, max, (text) =>
    /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined,
  );

/** Durations and sizes: a number in the key's unit, or a text with a unit of its own. */
const quantity = (kind: Quantity) => (min: number, max: number) =>
  whole(`${kind} from ${min} to ${max}, or ${exampleOf(kind)}`, min, max, (text) => parseQuantity(text, kind));

export const seconds = quantity('seconds');
export const milliseconds = quantity('milliseconds');
export const bytes = quantity('bytes');

function whole(what: string, min: number, max: number, read: (text: string) => number | undefined) {
  return z
    .custom<number | string>(() => true)
    .transform((value, context) => {
      const number = typeof value === 'string' ? read(value) : value;
      if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
      const shown = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
      context.addIssue({ code: 'custom', message: expected(what, shown) });
      return z.NEVER;
    });
}

export const choice = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.enum(words, {
    error: (issue) =>
      expected(words.length > 1 ? `one of ${words.join(', ')}` : words[0], issue.input) + hint(issue.input, words),
  });

export const yesOrNo = z.boolean({
  error: (issue) => {
    const word = typeof issue.input === 'string' ? issue.input.toLowerCase() : '';
    const meant = ['yes', 'on', 'true', '1'].includes(word) ? 'true' : nearest(word, ['true', 'false']);
    const no = ['no', 'off', '0'].includes(word) ? 'false' : meant;
    return expected('true or false', issue.input) + (word === '' || no === undefined ? '' : `, did you mean ${no}?`);
  },
});

/** "Did you mean", of a value. */
export function hint(got: unknown, words: readonly string[]): string {
  const near = typeof got === 'string' ? nearest(got, words) : undefined;
  return near === undefined ? '' : `, did you mean "${near}"?`;
}

export const text = z
  .string({ error: (issue) => expected('a text', issue.input) })
  .min(1, { error: 'is empty' })
  .refine((value) => !value.includes('\0'), { error: 'has a NUL in it' });

/** A text that `read` reads, which throws a RangeError where it makes no sense. */
export const parsed = <T>(read: (text: string) => T) =>
  z.string({ error: (issue) => expected('a text', issue.input) }).transform((item, context) => {
    try {
      return read(item);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

/** One text or a list of them, none as well, each read by `read`, which throws a RangeError where it makes no sense. */
export const anyOf = <T>(read: (text: string) => T) =>
  z.preprocess(
    (value: string | readonly string[]) => (typeof value === 'string' ? [value] : value),
    z
      .array(parsed(read), { error: (issue) => expected('a list', issue.input) })
      .max(64, { error: 'has more than 64 entries' }),
  );

/** The same, with one entry at least. */
export const listOf = <T>(read: (text: string) => T) =>
  anyOf(read).refine((list) => list.length > 0, { error: 'is empty' });

/** What a section may be that is no set of keys and values. */
export const section = {
  error: (issue: { code?: string; input?: unknown }) =>
    issue.code === 'invalid_type' ? expected('keys and values', issue.input) : undefined,
};

const SHOWN_CHARS = 100;

export function expected(what: string, got: unknown): string {
  if (got === null || got === undefined) return `expected ${what}, got nothing`;
  const plain = ['object', 'string', 'boolean'].includes(typeof got) ? json(got) : undefined;
  const shown = plain ?? inspect(got, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  return `expected ${what}, got ${shown.length > SHOWN_CHARS ? `${shown.slice(0, SHOWN_CHARS)}…` : shown}`;
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // what holds itself, say
  }
}
