// Durations and sizes in the notation of people: `90s`, `1h`, `64k`.

/** Units in milliseconds. */
const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Units in bytes, in powers of 1,024. */
const SIZES: Readonly<Record<string, number>> = Object.fromEntries(
  ['', 'k', 'm', 'g', 't'].flatMap((prefix, power) =>
    (prefix === '' ? ['b'] : [prefix, `${prefix}b`, `${prefix}ib`]).map((unit) => [unit, 1024 ** power]),
  ),
);

export type Quantity = 'milliseconds' | 'seconds' | 'bytes';

const KINDS = {
  milliseconds: { units: DURATIONS, one: 1, example: '500ms, 90s or 1h' },
  seconds: { units: DURATIONS, one: 1000, example: '90s, 30m or 1h' },
  bytes: { units: SIZES, one: 1, example: '64k or 16M' },
} as const;

/** Texts of each kind, for JSON Schema. */
export const PATTERN_OF: Readonly<Record<Quantity, string>> = {
  milliseconds: String.raw`^[0-9]+(\.[0-9]+)? ?(ms|s|m|min|h|d)?$`,
  seconds: String.raw`^[0-9]+(\.[0-9]+)? ?(ms|s|m|min|h|d)?$`,
  bytes: String.raw`^[0-9]+(\.[0-9]+)? ?([kKmMgGtT]?([iI]?[bB])?)?$`,
};

/** Notation of such a value beside a bare number. */
export function exampleOf(kind: Quantity): string {
  return KINDS[kind].example;
}

/** The number that a text stands for, in the unit of `kind`; a bare number is in that unit. Undefined: it is none. */
export function parseQuantity(text: string, kind: Quantity): number | undefined {
  const parts = /^([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-z]{0,3})$/i.exec(text);
  if (parts === null) return undefined;
  const [, digits, unit] = parts;
  if (unit === '') return Number(digits);
  const { units, one } = KINDS[kind];
  const size = units[unit.toLowerCase()];
  return size === undefined ? undefined : (Number(digits) * size) / one;
}
