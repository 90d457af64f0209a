// The section `websocket` of the configuration: websocket-policy.ts under its names in the file.

import { z } from 'zod';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import { DEFAULT_WEBSOCKET_POLICY, type WebSocketPolicy } from '../../../transport/websocket/websocket-policy.ts';
import { anyOf, listOf, seconds, section } from '../config-values.ts';

const schema = z.strictObject(
  {
    origins: listOf(parseOrigin).optional(),
    'idle-seconds': seconds(8, 960).optional(),
    'trusted-proxies': anyOf(parsePrefix).optional(),
  },
  section,
);

export const webSocketSchema = schema;

/**
 * @param authenticated whether clients log in. Where they do not, a page of any site that is open on this machine could
 * register through its browser: only pages of this machine may, unless the file says otherwise.
 */
export function fillWebSocket(raw: z.output<typeof schema>, authenticated: boolean): WebSocketPolicy {
  return {
    origins: raw.origins ?? (authenticated ? DEFAULT_WEBSOCKET_POLICY.origins : ['loopback']),
    idleS: raw['idle-seconds'] ?? DEFAULT_WEBSOCKET_POLICY.idleS,
    trustedProxies: raw['trusted-proxies'] ?? DEFAULT_WEBSOCKET_POLICY.trustedProxies,
  };
}

/** An origin as browsers send it. Throws a RangeError. */
function parseOrigin(text: string): string {
  const origin = text.toLowerCase();
  if (['*', 'loopback', 'null'].includes(origin)) return origin;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(origin))
    throw new RangeError(`expected an origin such as https://phone.example.com, loopback or *, got "${text}"`);
  return origin.replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
}

function parsePrefix(text: string): string {
  if (parseIpPrefix(text) === null)
    throw new RangeError(`expected an address or prefix such as 192.0.2.0/24, got "${text}"`);
  return text;
}
