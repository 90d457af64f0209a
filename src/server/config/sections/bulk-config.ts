// The value of `bulk-numbers` (RFC 6140): the numbers of each PBX, checked.

import { createAorReader } from '../../../core/lookup/aor-key.ts';
import { type NumberRange, type NumbersByPbx, readNumberRange } from '../../../core/lookup/bulk-numbers.ts';
import { anyOf, byName, type Kind, parsed, type Tell } from '../rows/kinds.ts';
import { withLowerHosts } from './home-config.ts';

const text = parsed('number or range', checkedRange);
/** YAML reads +12145550100 as a number. */
const range: Kind<string, string | number> = {
  ...text,
  read: (value, tell) => text.read(typeof value === 'number' ? `+${value}` : value, tell),
  json: { anyOf: [{ type: 'integer', minimum: 1 }, text.json] },
};
const some = anyOf(range, { max: Number.POSITIVE_INFINITY });
const ranges = {
  ...some,
  read: (value: unknown, tell: Tell) => some.read(typeof value === 'number' ? [value] : value, tell),
};
const lists = byName('user@domain', ranges);

/** Each number belongs to one PBX at most. */
export const numbersByPbx: Kind<
  NumbersByPbx,
  Readonly<Record<string, string | number | readonly (string | number)[]>>
> = {
  ...lists,
  read(value, tell) {
    const read = lists.read(value, (problem, path = []) => tell(problem, path.slice(0, 1)));
    if (read === undefined) return undefined;
    const byPbx = withLowerHosts(read);
    return arePbxs(byPbx, tell) && areApart(byPbx, tell) ? byPbx : undefined;
  },
};

function checkedRange(text: string): string {
  readNumberRange(text);
  return text;
}

function arePbxs(byPbx: NumbersByPbx, tell: Tell): boolean {
  const read = createAorReader(new Uint8Array(32));
  const wrong = Object.keys(byPbx).filter((pbx) => read(pbx) === undefined);
  for (const pbx of wrong) tell('is no address-of-record: user@domain', [pbx]);
  return wrong.length === 0;
}

function areApart(byPbx: NumbersByPbx, tell: Tell): boolean {
  const byDomain = new Map<string, (NumberRange & { readonly pbx: string; readonly text: string })[]>();
  for (const [pbx, texts] of Object.entries(byPbx)) {
    const domain = pbx.slice(pbx.lastIndexOf('@') + 1);
    const entries = texts.map((text) => ({ ...readNumberRange(text), pbx, text }));
    byDomain.set(domain, [...(byDomain.get(domain) ?? []), ...entries]);
  }
  let areApart = true;
  for (const entries of byDomain.values()) {
    entries.sort((a, b) => a.first - b.first);
    for (const [i, { first, pbx, text }] of entries.entries()) {
      const before = entries[i - 1];
      if (before === undefined || before.last < first) continue;
      tell(`"${text}" and "${before.text}" of ${before.pbx} have numbers in common`, [pbx]);
      areApart = false;
    }
  }
  return areApart;
}
