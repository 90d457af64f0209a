// The values of `service-route` and `associated-uris`: checked, and in the form that the registrar writes.

import { canonicalDomain } from '../../../core/uas/domains.ts';
import { isUriText } from '../uri-text.ts';

const URI = /^[a-z][a-z0-9+.-]*:[^\s<>",]+$/i;
const ROUTE = /^sips?:[^\s<>",?]+$/i;

/** `<sip:…;lr>`, with or without its brackets. Throws a RangeError. */
export function parseRoute(text: string): string {
  const uri = bare(text);
  if (!ROUTE.test(uri) || !isUriText(uri))
    throw new RangeError(`expected a route such as <sip:proxy.example.com;lr>, got "${text}"`);
  if (!/;lr(?:[;=]|$)/i.test(uri)) throw new RangeError(`a route needs ";lr" (RFC 3608 §6.3), got "${text}"`);
  return `<${uri}>`;
}

export function parseAssociated(text: string): string {
  const uri = bare(text);
  if (!URI.test(uri) || !isUriText(uri))
    throw new RangeError(`expected a URI such as sip:alice@example.com, got "${text}"`);
  return `<${uri}>`;
}

function bare(text: string): string {
  return text.replace(/^<(.*)>$/, '$1');
}

/** Domains, and the hosts of users, in lower case, as the registrar looks them up. */
export function withLowerHosts<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const at = name.lastIndexOf('@') + 1;
      return [name.slice(0, at) + canonicalDomain(name.slice(at)), value];
    }),
  );
}
