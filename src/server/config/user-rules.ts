// Rules for one user: from values in the form of the file to the text in the user store, and back.

import type { DomainPolicy } from '../../core/uas/policy.ts';
import { spellAsFile } from './config-problem.ts';
import { intervalFaults } from './intervals.ts';
import { whyNotOfUser } from './own-rules.ts';
import { ofSection, type Raw } from './rows/file-schema.ts';
import { fillRows, showRows } from './rows/fill.ts';
import { userRows } from './rows/policy-rows.ts';
import { suggestKey } from './unknown-key.ts';

const RULES_BYTES_MAX = 4096;
const schema = ofSection(userRows, true);

/** The text to keep; '' without rules. Throws a RangeError whose message names each problem, a line each. */
export function rulesText(values: unknown): string {
  const result = schema.safeParse(values);
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `${key}: ${unknownKey(issue.path, key)}`)
        : [`${issue.path.filter((part) => typeof part !== 'number').join('.')}: ${issue.message}`],
    );
    throw new RangeError(problems.join('\n'));
  }
  const raw = result.data as Raw;
  const [fault] = intervalFaults(raw as Readonly<Record<string, number>>, []);
  if (fault !== undefined) {
    const { path, text } = fault;
    throw new RangeError(`${path.join('.')}: ${typeof text === 'string' ? text : text(spellAsFile)}`);
  }
  const rules = fillRows<DomainPolicy>(userRows, raw, {});
  const text = Object.keys(rules).length === 0 ? '' : JSON.stringify(rules);
  if (text.length > RULES_BYTES_MAX) throw new RangeError(`more than ${RULES_BYTES_MAX} bytes of rules`);
  return text;
}

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const why = path.length === 0 ? whyNotOfUser(key) : undefined;
  return why ?? `unknown key${suggestKey(schema, path, key, spellAsFile)}`;
}

/** The rules in the form of the file. */
export function shownRules(text: string): Record<string, unknown> {
  return text === '' ? {} : showRows(userRows, JSON.parse(text) as object, {});
}
