// The SIP domains of a certificate (RFC 5922 §7.1), from the names that Node gives.

import { describe, expect, it } from 'vitest';
import { sipIdentities } from '../../../src/transport/node/tls-identity.ts';

describe('identities of a certificate', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['DNS:Example.com, DNS:b.example.', ['example.com', 'b.example']],
    ['DNS:sip.example.com, URI:sip:example.com', ['example.com']],
    ['URI:sip:alice@example.com, DNS:host.example', ['host.example']],
    ['URI:sip:example.com:5061, DNS:a.example', ['example.com']],
    ['URI:SIP:Example.com;transport=tls, URI:sip:b.example:5061;x=y?z=1, DNS:a.example', ['example.com', 'b.example']],
    ['URI:sip:example.com;user=alice@evil.example, URI:sip:[::1]:5061, URI:sip:, DNS:a.example', ['a.example']],
    ['URI:sips:example.com, DNS:a.example', ['a.example']],
    ['URI:https://example.com/, IP Address:192.0.2.1', []],
    ['DNS:*.example.com, DNS:a.example', ['a.example']],
    ['URI:"sip:a.example, DNS:b.example"', []],
    ['DNS:"x, DNS:y.example", DNS:z.example', ['x, dns:y.example', 'z.example']],
  ])('R5922-7.4-01: %s', (names, expected) => {
    expect(sipIdentities(names)).toEqual(expected);
  });
});
