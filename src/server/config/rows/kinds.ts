// Kinds of values for keys: how each is read, described in an error, written in the file, described in a sentence and in JSON
// Schema. Nothing here knows a key.

import { inspect } from 'node:util';
import { nearest } from '../nearest.ts';
import { exampleOf, PATTERN_OF, parseQuantity, type Quantity } from '../quantities.ts';

/** Reports a problem. @param path below the value: the entry of a list, the name in a map */
export type Tell = (problem: string, path?: readonly PropertyKey[]) => void;
export type JsonSchema = Readonly<Record<string, unknown>>;

/** @typeParam In the type that a program may give */
export interface Kind<Out, In = unknown> {
  /** The value for a Config; undefined where it is wrong, after `tell`. */
  read(value: unknown, tell: Tell): Out | undefined;
  /** The value in the form of the file. */
  show(value: Out): unknown;
  /** Text of the reference: `seconds, 1 to 300`. */
  readonly text: string;
  readonly json: JsonSchema;
  /** Relative names are relative to the configuration file. */
  readonly isFile?: true;
  /** Used by types alone. */
  readonly input?: In;
}

export const integer = (min: number, max: number): Kind<number, number | string> => ({
  ...whole(`a whole number from ${min} to ${max}`, min, max, (text) =>
    /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined,
  ),
  text: `${grouped(min)} to ${grouped(max)}`,
  json: { type: 'integer', minimum: min, maximum: max },
});

export const percent = (max: number): Kind<number, number | string> => ({
  ...integer(0, max),
  text: `percent, 0 to ${max}`,
});

/** Durations and sizes: a number in the key's unit, or a text with a unit of its own. */
const quantity =
  (kind: Quantity) =>
  (min: number, max: number): Kind<number, number | string> => ({
    ...whole(`${kind} from ${min} to ${max}, or ${exampleOf(kind)}`, min, max, (text) => parseQuantity(text, kind)),
    text: `${kind}, ${grouped(min)} to ${grouped(max)}`,
    json: {
      anyOf: [
        { type: 'integer', minimum: min, maximum: max },
        { type: 'string', pattern: PATTERN_OF[kind] },
      ],
    },
  });

export const seconds = quantity('seconds');
export const milliseconds = quantity('milliseconds');
export const bytes = quantity('bytes');

/** Seconds in the file, milliseconds in a Config. */
export const secondsAsMs = (min: number, max: number): Kind<number, number | string> =>
  mapped(
    seconds(min, max),
    (value) => value * 1000,
    (value) => value / 1000,
  );

function whole(what: string, min: number, max: number, read: (text: string) => number | undefined) {
  return {
    read(value: unknown, tell: Tell): number | undefined {
      const number = typeof value === 'string' ? read(value) : value;
      if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
      const shown = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
      tell(expected(what, shown));
      return undefined;
    },
    show: same,
  };
}

/** Any number, fractions included. */
export const amount = (max: number): Kind<number> => ({
  read(value, tell) {
    if (typeof value === 'number' && value >= 0 && value <= max) return value;
    tell(expected(`a number from 0 to ${max}`, value));
    return undefined;
  },
  show: same,
  text: `0 to ${grouped(max)}`,
  json: { type: 'number', minimum: 0, maximum: max },
});

/** Seconds, fractions included. */
export const fineSeconds = (max: number): Kind<number, number | string> => ({
  read(value, tell) {
    const number = typeof value === 'string' ? parseQuantity(value, 'seconds') : value;
    if (typeof number === 'number' && number >= 0 && number <= max) return number;
    tell(expected(`seconds from 0 to ${max}, or ${exampleOf('seconds')}`, value));
    return undefined;
  },
  show: same,
  text: `seconds, 0 to ${grouped(max)}`,
  json: {
    anyOf: [
      { type: 'number', minimum: 0, maximum: max },
      { type: 'string', pattern: PATTERN_OF.seconds },
    ],
  },
});

export const choice = <const T extends readonly [string, ...string[]]>(...words: T): Kind<T[number], T[number]> => ({
  read(value, tell) {
    const found = words.find((word) => word === value);
    if (found === undefined)
      tell(expected(words.length > 1 ? `one of ${words.join(', ')}` : words[0], value) + hint(value, words));
    return found;
  },
  show: same,
  text: words.map((word) => `\`${word}\``).join(', '),
  json: { enum: words },
});

export const yesOrNo: Kind<boolean, boolean> = {
  read(value, tell) {
    if (typeof value === 'boolean') return value;
    const word = typeof value === 'string' ? value.toLowerCase() : '';
    const meant = ['yes', 'on', 'true', '1'].includes(word) ? 'true' : nearest(word, ['true', 'false']);
    const no = ['no', 'off', '0'].includes(word) ? 'false' : meant;
    tell(expected('true or false', value) + (word === '' || no === undefined ? '' : `, did you mean ${no}?`));
    return undefined;
  },
  show: same,
  text: '`true`, `false`',
  json: { type: 'boolean' },
};

/** @param what description for the reference */
export const text = (what = 'text'): Kind<string, string> => ({
  read(value, tell) {
    if (typeof value !== 'string') tell(expected('a text', value));
    else if (value === '') tell('is empty');
    else if (value.includes('\0')) tell('has a NUL in it');
    else return value;
    return undefined;
  },
  show: same,
  text: what,
  json: { type: 'string', minLength: 1 },
});

/** The name of a file or directory. */
export const file: Kind<string, string> = { ...text('file'), isFile: true };

/** A text for the function `read`, which throws a RangeError where it is invalid. */
export const parsed = <T>(
  what: string,
  read: (text: string) => T,
  show: (value: T) => string = String,
): Kind<T, string> => ({
  read(value, tell) {
    if (typeof value !== 'string') {
      tell(expected('a text', value));
      return undefined;
    }
    try {
      return read(value);
    } catch (error) {
      tell((error as Error).message);
      return undefined;
    }
  },
  show,
  text: what,
  json: { type: 'string', minLength: 1 },
});

interface ListLimits {
  readonly min?: number;
  readonly max?: number;
}

/** One value or a list of them; the list may be empty. */
export const anyOf = <T, In>(
  entry: Kind<T, In>,
  { min = 0, max = 64 }: ListLimits = {},
): Kind<readonly T[], In | readonly In[]> => ({
  read(value, tell) {
    const list: unknown = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list)) tell(expected('a list', value));
    else if (list.length > max) tell(`has more than ${max} entries`);
    else if (list.length < min) tell('is empty');
    else return entries(list, entry, tell);
    return undefined;
  },
  show: (list) => list.map((one) => entry.show(one)),
  text: `list: ${entry.text}`,
  json: { anyOf: [entry.json, { type: 'array', items: entry.json, ...(min > 0 && { minItems: min }) }] },
});

/** The same, with one entry at least. */
export const listOf = <T, In>(entry: Kind<T, In>) => anyOf(entry, { min: 1 });

/** Reads all entries and reports every wrong one. */
function entries<T, In>(list: readonly unknown[], entry: Kind<T, In>, tell: Tell): readonly T[] | undefined {
  const read = list.map((one, i) => entry.read(one, (problem, path = []) => tell(problem, [i, ...path])));
  return read.includes(undefined) ? undefined : (read as T[]);
}

/** Values by names of the operator's choice: domains, users, header fields. */
export const byName = <T, In>(
  name: string,
  entry: Kind<T, In>,
): Kind<Readonly<Record<string, T>>, Readonly<Record<string, In>>> => ({
  read(value, tell) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      tell(expected('keys and values', value));
      return undefined;
    }
    const read = Object.entries(value).map(
      ([key, one]) => [key, entry.read(one, (problem, path = []) => tell(problem, [key, ...path]))] as const,
    );
    return read.some(([, one]) => one === undefined) ? undefined : (Object.fromEntries(read) as Record<string, T>);
  },
  show: (values) => Object.fromEntries(Object.entries(values).map(([key, one]) => [key, entry.show(one)])),
  text: `by ${name}: ${entry.text}`,
  json: { type: 'object', additionalProperties: entry.json },
});

/** A kind whose form in a Config differs from that in the file. */
export const mapped = <A, B, In>(kind: Kind<A, In>, to: (value: A) => B, from: (value: B) => A): Kind<B, In> => ({
  ...kind,
  read(value, tell) {
    const read = kind.read(value, tell);
    return read === undefined ? undefined : to(read);
  },
  show: (value) => kind.show(from(value)),
});

/** Values that are never shown. */
export const HIDDEN = '(hidden)';
export const hidden = <T, In>(kind: Kind<T, In>): Kind<T, In> => ({ ...kind, show: () => HIDDEN });

/** "Did you mean", for a value. */
export function hint(got: unknown, words: readonly string[]): string {
  const near = typeof got === 'string' ? nearest(got, words) : undefined;
  return near === undefined ? '' : `, did you mean "${near}"?`;
}

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
    return undefined; // a circular value, for example
  }
}

function same<T>(value: T): T {
  return value;
}

/** 2147483647 → 2,147,483,647 */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
