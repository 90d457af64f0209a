// Whether a domain is served, for commands and the API: a user or binding of another domain has no effect until it is. The data
// directory has the list of the last server that ran on it.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalDomain } from '../../core/uas/domains.ts';

const FILE = 'domains';
const SHOWN = 10;

/** Names by which a machine refers to itself. */
const LOCAL = ['localhost', '127.0.0.1', '[::1]'];

/** Whether no phone of another machine can have an address-of-record of these domains. */
export function onlyLocal(domains: readonly string[]): boolean {
  return domains.every((name) => LOCAL.includes(name));
}

/** @param aor user@domain */
export function domainOf(aor: string): string {
  return canonicalDomain(aor.slice(aor.lastIndexOf('@') + 1));
}

/** Those of `names` that are not served, each once. @param domains in the form of the policy */
export function unserved(names: Iterable<string>, domains: readonly string[]): string[] {
  if (domains.includes('*')) return [];
  return [...new Set(names)].filter((name) => !domains.includes(name));
}

/** Writes the served domains for commands, which may run without the server. Undefined: they are unknown. */
export function writeServed(data: string, domains: readonly string[] | undefined): void {
  const file = join(data, FILE);
  try {
    if (domains === undefined) rmSync(file, { force: true });
    else writeFileSync(file, `${domains.join('\n')}\n`, { mode: 0o600 });
  } catch {
    // Only a note of a command depends on it.
  }
}

/** Undefined: no server has run there. */
export function readServed(data: string): string[] | undefined {
  try {
    return readFileSync(join(data, FILE), 'utf8').trim().split('\n');
  } catch {
    return undefined;
  }
}

/** A note on domains that the server of a data directory does not serve; '' where it serves all, or its list is unknown. */
export function unservedNote(served: readonly string[] | undefined, names: Iterable<string>): string {
  if (served === undefined) return '';
  const missing = unserved(names, served);
  if (missing.length === 0) return '';
  const shown = missing.length > SHOWN ? [...missing.slice(0, SHOWN), `${missing.length - SHOWN} more`] : missing;
  return (
    `note: ${shown.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not served here (${served.join(', ')} ` +
    `${served.length === 1 ? 'is' : 'are'}): of no effect until "domains" of the configuration has ${missing.length === 1 ? 'it' : 'them'}\n`
  );
}
