// The keys `service-route` and `associated-uris` of the configuration: values of header rows by domain and by user, checked
// and brought into the form that the registrar writes.

import { z } from 'zod';
import { withoutRootDot } from '../../../core/uas/domains.ts';
import { expected, section } from '../config-values.ts';
import { isUriText } from '../uri-text.ts';

const URI = /^[a-z][a-z0-9+.-]*:[^\s<>",]+$/i;
const ROUTE = /^sips?:[^\s<>",?]+$/i;

const texts = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(z.string({ error: (issue) => expected('a text', issue.input) }), {
    error: (issue) => expected('a list', issue.input),
  }),
);

function checked(read: (text: string) => string) {
  return texts.transform((list, context) => {
    try {
      return list.map(read);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
}

/** By domain ("*": those not listed): where requests of its users go first (RFC 3608). */
export const serviceRouteSchema = z.record(z.string(), checked(parseRoute), section);
/** By user@domain: further identities of the user (RFC 7315). */
export const associatedUrisSchema = z.record(z.string(), checked(parseAssociated), section);

/** `<sip:…;lr>`, with or without its brackets. Throws a RangeError. */
function parseRoute(text: string): string {
  const uri = bare(text);
  if (!ROUTE.test(uri) || !isUriText(uri))
    throw new RangeError(`expected a route such as <sip:proxy.example.com;lr>, got "${text}"`);
  if (!/;lr(?:[;=]|$)/i.test(uri)) throw new RangeError(`a route needs ";lr" (RFC 3608 §6.3), got "${text}"`);
  return `<${uri}>`;
}

function parseAssociated(text: string): string {
  const uri = bare(text);
  if (!URI.test(uri) || !isUriText(uri))
    throw new RangeError(`expected a URI such as sip:alice@example.com, got "${text}"`);
  return `<${uri}>`;
}

function bare(text: string): string {
  return text.replace(/^<(.*)>$/, '$1');
}

/** Names of domains, and the host of users, in lower case, as the registrar looks for them. */
export function withLowerHosts(values: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(values).map(([name, list]) => {
      const at = name.lastIndexOf('@') + 1;
      return [name.slice(0, at) + withoutRootDot(name.slice(at).toLowerCase()), list];
    }),
  );
}
