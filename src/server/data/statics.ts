// Changes of static bindings and aliases by people and programs, and their checks. shard/statics/static-file has the file,
// shard/statics/static-table its use in lookups.

import { createAorReader } from '../../core/lookup/aor-key.ts';
import type { StaticContact, StaticContent } from '../../shard/statics/static-file.ts';
import { domainOf, unserved } from '../config/served-domains.ts';
import { isUriText } from '../config/uri-text.ts';

const CONTACTS_MAX = 10;
const URI_BYTES_MAX = 2048;
/** A URI in brackets, perhaps followed by parameters. */
const HOP = /^<[^<>]+>(?:;[\w.!%*+`'~-]+(?:=[\w.!%*+`'~-]+)?)*$/;
const ALIASES_DEEP_MAX = 8;

/** An invalid change; the message has the reason. */
export class StaticError extends Error {
  override readonly name = 'StaticError';
}

/** Argument of a registrar's `changeStatic`. */
export type StaticChange = (content: StaticContent) => StaticContent;

const readAor = createAorReader(new Uint8Array(32));

/** Adds a contact to an AOR, or replaces the one with the same URI. Throws a StaticError. */
export function addBinding(aorText: string, contact: StaticContact): StaticChange {
  const aor = canonical(aorText);
  checkUri(contact.uri);
  for (const hop of contact.path ?? []) {
    if (!HOP.test(hop))
      throw new StaticError(`a path's hop stands in brackets, such as <sip:edge.example.com;lr>: "${hop}"`);
    checkUri(hop.slice(1, hop.indexOf('>')));
  }
  const { q } = contact;
  if (q !== undefined && !(q >= 0 && q <= 1)) throw new StaticError(`q is a number from 0 to 1, not "${q}"`);
  return ({ bindings, aliases }) => {
    if (own(aliases, aor) !== undefined)
      throw new StaticError(`${aor} is an alias of ${aliases[aor]}: remove it first`);
    const contacts = [...(own(bindings, aor) ?? []).filter(({ uri }) => uri !== contact.uri), contact];
    if (contacts.length > CONTACTS_MAX) throw new StaticError(`${aor} has ${CONTACTS_MAX} static bindings already`);
    return { aliases, bindings: { ...bindings, [aor]: contacts } };
  };
}

/** Removes a contact of an AOR, or all of them. Throws a StaticError where there is none. */
export function removeBinding(aorText: string, uri?: string): StaticChange {
  const aor = canonical(aorText);
  return ({ bindings, aliases }) => {
    const before = own(bindings, aor) ?? [];
    const after = uri === undefined ? [] : before.filter((contact) => contact.uri !== uri);
    if (after.length === before.length) throw new StaticError(`${aor} has no static binding${uri ? ` to ${uri}` : ''}`);
    const { [aor]: _, ...others } = bindings;
    return { aliases, bindings: after.length === 0 ? others : { ...others, [aor]: after } };
  };
}

/** Sends requests for `alias` to the contacts of `aor`. Throws a StaticError. */
export function addAlias(aliasText: string, aorText: string): StaticChange {
  const alias = canonical(aliasText);
  const aor = canonical(aorText);
  return ({ bindings, aliases }) => {
    if (own(bindings, alias) !== undefined) throw new StaticError(`${alias} has static bindings: remove them first`);
    const after = { ...aliases, [alias]: aor };
    resolveAlias(after, alias);
    return { bindings, aliases: after };
  };
}

export function removeAlias(aliasText: string): StaticChange {
  const alias = canonical(aliasText);
  return ({ bindings, aliases }) => {
    if (own(aliases, alias) === undefined) throw new StaticError(`${alias} is no alias`);
    const { [alias]: _, ...others } = aliases;
    return { bindings, aliases: others };
  };
}

/** Throws a StaticError where aliases form a circle or too long a chain. */
function resolveAlias(aliases: StaticContent['aliases'], alias: string): void {
  let aor: string | undefined = own(aliases, alias);
  for (let deep = 1; aor !== undefined; deep++) {
    if (aor === alias || deep > ALIASES_DEEP_MAX)
      throw new StaticError(`${alias} would lead back to itself, or over more than ${ALIASES_DEEP_MAX} aliases`);
    aor = own(aliases, aor);
  }
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function canonical(text: string): string {
  const aor = readAor(text)?.text;
  if (aor === undefined) throw new StaticError(`"${text}" is no address such as alice@example.com`);
  return aor;
}

function checkUri(uri: string): void {
  if (Buffer.byteLength(uri) > URI_BYTES_MAX || !isUriText(uri))
    throw new StaticError(`"${uri}" is no URI such as sip:gateway@192.0.2.1 (without brackets)`);
}

/** The same change; throws a StaticError where it adds an entry that no lookup would find, since its domain is not served. */
export function ofServedDomains(change: StaticChange, domains: readonly string[]): StaticChange {
  return (content) => {
    const next = change(content);
    const aorsOf = ({ bindings, aliases }: StaticContent) => [
      ...Object.keys(bindings),
      ...Object.entries(aliases).flat(),
    ];
    const known = new Set(aorsOf(content));
    const [missing] = unserved(
      aorsOf(next)
        .filter((aor) => !known.has(aor))
        .map(domainOf),
      domains,
    );
    if (missing !== undefined) throw new StaticError(`${missing} is not served here: ${domains.join(', ')}`);
    return next;
  };
}
