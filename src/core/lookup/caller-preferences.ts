// Caller preferences (RFC 3841 §7.2): the contacts that a request may be sent to by their capabilities (RFC 3840), and their
// order. Pure: the Accept-Contact, Reject-Contact and Request-Disposition of the request in the table, and the parameters of
// contacts as text. Reading is done once per request that has such headers.

import { slab, table } from '../../sip/parser/slab.ts';
import {
  H_EVENT,
  H_OTHER,
  ROW_INTS,
  ROW_NAME_AT,
  ROW_NAME_END,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_METHOD_AT,
  T_METHOD_END,
  T_ROWS,
} from '../../sip/parser/span-table.ts';
import { splitList, splitParams } from '../../sip/uri/param-text.ts';

/** Limits of one query: values of Accept-Contact and Reject-Contact, and feature alternatives in all of them. */
export const PREFERENCES_MAX = 16;
export const PREFERENCE_VALUES_MAX = 128;

/** RFC 3840 §9: feature parameters without a leading "+". */
const BASE_TAGS = new Set(
  (
    'audio automata class duplex data control mobility description events priority methods extensions schemes ' +
    'application video language type isfocus actor text'
  ).split(' '),
);

/** One alternative of a feature's value. Numbers are ranges; `negated` stands for any other value. */
interface Value {
  readonly negated: boolean;
  readonly text: string;
  readonly range: readonly [low: number, high: number] | undefined;
}

/** A feature set: by tag, the alternatives of its value. */
type Features = ReadonlyMap<string, readonly Value[]>;

interface Preference {
  readonly features: Features;
  readonly require: boolean;
  readonly explicit: boolean;
}

/** The preferences of a caller. */
export interface CallerPreferences {
  readonly accept: readonly Preference[];
  readonly reject: readonly Features[];
  /** Made from the method and event of the request, not from its headers: ignored where they would leave no contact. */
  readonly implicit: boolean;
}

/** Preferences of the request in the table (§7.2.1, §7.2.2); null where there are too many. */
export function readPreferences(): CallerPreferences | null {
  const accept = valuesOf('accept-contact', 'a');
  const reject = valuesOf('reject-contact', 'j');
  if (accept.length + reject.length > 0) return preferencesOf(accept, reject);
  const features = new Map([['methods', [token(text(T_METHOD_AT, T_METHOD_END))]]]);
  const event = table[T_FIRST_ROW + H_EVENT];
  if (event >= 0) {
    const [name] = rowText(event, ROW_VALUE_AT, ROW_VALUE_END).split(';');
    features.set('events', [token(name.trim())]);
  }
  return { accept: [{ features, require: true, explicit: false }], reject: [], implicit: true };
}

/** From values of Accept-Contact and Reject-Contact, each as in the header field: `*;audio;require`. Null where there are too many. */
export function preferencesOf(accept: readonly string[], reject: readonly string[]): CallerPreferences | null {
  if (accept.length + reject.length > PREFERENCES_MAX) return null;
  const preferences = { accept: accept.map(preferenceOf), reject: reject.map(featuresOf), implicit: false };
  return countValues(preferences) > PREFERENCE_VALUES_MAX ? null : preferences;
}

function countValues({ accept, reject }: CallerPreferences): number {
  let count = 0;
  for (const features of [...accept.map((preference) => preference.features), ...reject])
    for (const values of features.values()) count += values.length;
  return count;
}

/** The directives of Request-Disposition (§9.1), in lower case: "proxy", "redirect", "no-fork" and so on. */
export function readDispositions(): ReadonlySet<string> {
  return new Set(valuesOf('request-disposition', 'd').map((value) => value.trim().toLowerCase()));
}

/** A contact to rate: its q in thousandths, and its Contact parameters (from the first ";", as stored). */
export interface Candidate {
  readonly q: number;
  readonly params: string;
}

/**
 * Indices of the candidates that the request may be sent to, best first (§7.2.4): by q; within one q by their fit; within one fit in
 * the given order. Contacts without feature parameters are immune.
 */
export function orderByPreferences(candidates: readonly Candidate[], preferences: CallerPreferences): number[] {
  const rated = candidates.map((candidate, index) => ({
    index,
    q: candidate.q,
    fit: fitOf(featuresOf(candidate.params), preferences),
  }));
  const left = rated.filter(({ fit }) => fit >= 0);
  const chosen = left.length === 0 && preferences.implicit ? rated.map((one) => ({ ...one, fit: 1 })) : left;
  return chosen.sort((a, b) => b.q - a.q || b.fit - a.fit || a.index - b.index).map(({ index }) => index);
}

/** Qa from 0 to 1, or -1 for an excluded contact. */
function fitOf(contact: Features, { accept, reject }: CallerPreferences): number {
  if (contact.size === 0) return 1;
  for (const features of reject) {
    const known = [...features.keys()].every((tag) => contact.has(tag));
    if (known && matches(features, contact)) return -1;
  }
  let sum = 0;
  let count = 0;
  for (const { features, require, explicit } of accept) {
    if (!matches(features, contact)) {
      if (require) return -1;
      continue;
    }
    const tags = [...features.keys()];
    let score = tags.length === 0 ? 1 : tags.filter((tag) => contact.has(tag)).length / tags.length;
    if (explicit && score < 1) {
      if (require) return -1;
      score = 0;
    }
    sum += score;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** Whether some set of features is in both (RFC 2533): a tag that one of them lacks is no obstacle. */
function matches(a: Features, b: Features): boolean {
  for (const [tag, values] of a) {
    const others = b.get(tag);
    if (others !== undefined && !values.some((x) => others.some((y) => overlap(x, y)))) return false;
  }
  return true;
}

function overlap(x: Value, y: Value): boolean {
  if (x.range !== undefined && y.range !== undefined) return rangesOverlap(x, x.range, y, y.range);
  if (x.negated && y.negated) return true;
  const same = x.range === undefined && y.range === undefined && x.text === y.text;
  return same !== (x.negated || y.negated);
}

function rangesOverlap(
  x: Value,
  [a, b]: readonly [number, number],
  y: Value,
  [c, d]: readonly [number, number],
): boolean {
  if (x.negated && y.negated) return true;
  if (x.negated) return c < a || d > b;
  if (y.negated) return a < c || b > d;
  return a <= d && c <= b;
}

function preferenceOf(value: string): Preference {
  const names = splitParams(value).map(({ name }) => name.toLowerCase());
  return { features: featuresOf(value), require: names.includes('require'), explicit: names.includes('explicit') };
}

/** The feature parameters among the parameters in a text, as a feature set (§7.2.3, §8). */
function featuresOf(params: string): Features {
  const features = new Map<string, readonly Value[]>();
  const plus: [string, readonly Value[]][] = [];
  for (const { name, value } of splitParams(params)) {
    const tag = name.toLowerCase();
    if (tag.startsWith('+')) plus.push([tag.slice(1), valuesFrom(value)]);
    else if (BASE_TAGS.has(tag)) features.set(tag, valuesFrom(value));
  }
  for (const [tag, values] of plus) if (!features.has(tag)) features.set(tag, values);
  return features;
}

function valuesFrom(value: string | undefined): readonly Value[] {
  if (value === undefined) return [token('TRUE')];
  const inner = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
  if (inner.startsWith('<') && inner.endsWith('>')) return [{ negated: false, text: inner, range: undefined }];
  return inner.split(',').map((part) => valueFrom(part.trim()));
}

function valueFrom(part: string): Value {
  const negated = part.startsWith('!');
  const rest = negated ? part.slice(1) : part;
  return rest.startsWith('#') ? { negated, text: '', range: rangeFrom(rest.slice(1)) } : { ...token(rest), negated };
}

/** "=4", ">=4", "<=4" or "1:4". An invalid range contains no number. */
function rangeFrom(text: string): readonly [number, number] {
  const match = /^(>=|<=|=)?([+-]?\d+(?:\.\d+)?)(?::([+-]?\d+(?:\.\d+)?))?$/.exec(text);
  if (match === null) return [Number.NaN, Number.NaN];
  const [, relation, first, second] = match;
  const value = Number(first);
  if (relation === '>=') return [value, Number.POSITIVE_INFINITY];
  if (relation === '<=') return [Number.NEGATIVE_INFINITY, value];
  return relation === '=' || second === undefined ? [value, value] : [value, Number(second)];
}

/** Tokens are compared without case, strings in angle brackets with it. */
function token(text: string): Value {
  return { negated: false, text: text.toLowerCase(), range: undefined };
}

/** Values of all rows with the name or its compact form. */
function valuesOf(name: string, compact: string): string[] {
  const values: string[] = [];
  for (let row = table[T_FIRST_ROW + H_OTHER]; row >= 0; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    const found = rowText(row, ROW_NAME_AT, ROW_NAME_END).toLowerCase();
    if (found === name || found === compact) values.push(...splitList(rowText(row, ROW_VALUE_AT, ROW_VALUE_END)));
  }
  return values;
}

function rowText(row: number, at: number, end: number): string {
  return text(T_ROWS + row * ROW_INTS + at, T_ROWS + row * ROW_INTS + end);
}

function text(at: number, end: number): string {
  let out = '';
  for (let p = table[at]; p < table[end]; p++) out += String.fromCharCode(slab[p]);
  return out;
}
