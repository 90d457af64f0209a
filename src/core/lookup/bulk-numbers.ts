// The numbers of each PBX (RFC 6140 §5.2): ranges by domain, found by the AOR of a number. The PBX's binding stands for all of
// them; nothing is stored by number. bulk-contacts.ts makes a number's contact.
// @hot

import { AT_SIGN } from '../../sip/scanner.ts';
import { ByName } from '../uas/by-name.ts';
import { createAorReader } from './aor-key.ts';

/** E.164: at most fifteen digits, the first of which is not zero. */
const DIGITS_MAX = 15;
const PLUS = 0x2b;
const ZERO = 0x30;

/** The AOR that a PBX registers. */
export interface NumberOwner {
  readonly aor: string;
  readonly key: Uint32Array;
}

export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

interface DomainNumbers {
  /** Sorted and disjoint. */
  readonly first: Float64Array;
  readonly last: Float64Array;
  readonly owners: readonly NumberOwner[];
}

/** Ranges by the AOR of a PBX: `+12145550100-+12145550199`, or a single number. */
export type NumbersByPbx = Readonly<Record<string, readonly string[]>>;

export class BulkNumbers {
  private readonly domains: ByName<DomainNumbers>;
  private readonly owners: ByName<NumberOwner>;

  /** @param secret 32 bytes: the data directory's */
  private constructor(numbers: NumbersByPbx, secret: Uint8Array) {
    const read = createAorReader(secret);
    const owners: (readonly [string, NumberOwner])[] = [];
    const byDomain = new Map<string, { range: NumberRange; owner: NumberOwner }[]>();
    for (const [pbx, ranges] of Object.entries(numbers)) {
      const named = read(pbx);
      if (named === undefined) continue; // the configuration never has one
      const owner = { aor: named.text, key: named.key.slice() };
      const canonical = latin1(named.canonical, 0, named.length);
      owners.push([canonical, owner]);
      const domain = canonical.slice(named.hostAt);
      const entries = byDomain.get(domain) ?? [];
      for (const text of ranges) entries.push({ range: readNumberRange(text), owner });
      byDomain.set(domain, entries);
    }
    this.owners = new ByName(owners);
    this.domains = new ByName([...byDomain].map(([domain, entries]) => [domain, inOrder(entries)] as const));
  }

  /** Null where no PBX has numbers. @cold */
  static of(numbers: NumbersByPbx | undefined, secret: Uint8Array): BulkNumbers | null {
    return numbers === undefined || Object.keys(numbers).length === 0 ? null : new BulkNumbers(numbers, secret);
  }

  /** The PBX of a number; null where the canonical AOR in aor[0, length) is not a number of any. */
  find(aor: Uint8Array, length: number): NumberOwner | null {
    if (length < 3 || aor[0] !== PLUS) return null;
    let at = 1;
    let number = 0;
    while (at < length && at <= DIGITS_MAX && aor[at] >= ZERO && aor[at] <= ZERO + 9)
      number = number * 10 + aor[at++] - ZERO;
    if (at < 2 || aor[at] !== AT_SIGN || aor[1] === ZERO) return null;
    const numbers = this.domains.find(aor, at + 1, length);
    return numbers === undefined ? null : ownerOf(numbers, number);
  }

  /** Whether the canonical AOR in aor[0, length) is that of a PBX with numbers. */
  areOf(aor: Uint8Array, length: number): boolean {
    return length > 0 && this.owners.find(aor, 0, length) !== undefined;
  }
}

function ownerOf({ first, last, owners }: DomainNumbers, number: number): NumberOwner | null {
  let low = 0;
  let high = first.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (number < first[middle]) high = middle - 1;
    else if (number > last[middle]) low = middle + 1;
    else return owners[middle];
  }
  return null;
}

/** Throws a RangeError. @cold */
export function readNumberRange(text: string): NumberRange {
  const match = /^\+([1-9][0-9]{0,14})(?:-\+([1-9][0-9]{0,14}))?$/.exec(text);
  const [, from = '', to = from] = match ?? [];
  if (match === null || from.length !== to.length || to < from)
    throw new RangeError(`expected numbers such as +12145550100-+12145550199 or +12145550100, got "${text}"`);
  return { first: Number(from), last: Number(to) };
}

/** @cold */
function inOrder(entries: { range: NumberRange; owner: NumberOwner }[]): DomainNumbers {
  const sorted = entries.sort((a, b) => a.range.first - b.range.first);
  return {
    first: Float64Array.from(sorted, ({ range }) => range.first),
    last: Float64Array.from(sorted, ({ range }) => range.last),
    owners: sorted.map(({ owner }) => owner),
  };
}

/** @cold */
function latin1(bytes: Uint8Array, at: number, end: number): string {
  let text = '';
  for (let p = at; p < end; p++) text += String.fromCharCode(bytes[p]);
  return text;
}
