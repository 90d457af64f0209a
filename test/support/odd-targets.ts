// Requests for what a proxy cannot forward to. Each is answered or dropped, and the proxy serves on.

import { expect } from 'vitest';
import { SipClient } from './sip-client.ts';

/** Request-URIs and the status that each draws, or its class; none for what is dropped. */
const ODD: readonly [string, number | undefined][] = [
  ['tel:+4930123456', 416],
  ['urn:service:sos', 416],
  ['sip:x@127.0.0.1:0', undefined],
  ['sip:x@[::1]', undefined],
  ['sip:x@[::1]:0', undefined],
  ['sip:x@no-such-host.invalid', undefined],
  ['sip:example.com', 405],
  ['sip:EXAMPLE.com', 405],
  ['sip:%00@example.com', 4],
];
/** Malformed messages, dropped. */
const MALFORMED = [
  'nonsense',
  'INVITE sip:x@192.0.2.1 SIP/2.0\r\n\r\n',
  'SIP/2.0 200 OK\r\n\r\n',
  'INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: nonsense;rport\r\n\r\n',
  'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nVia: SIP/2.0/UDP [::1]:0;rport=x;received=\r\n\r\n',
];

/** Sends them all to the proxy on this port of 127.0.0.1, and one that goes round to itself. */
export async function surviveOddTargets(port: number): Promise<void> {
  const client = await SipClient.open({ address: '127.0.0.1', port });
  for (const text of MALFORMED) client.send(text);
  const answered = await Promise.all(
    ODD.map(async ([uri, status]) => {
      const answer = client.request(client.other('INVITE', uri), status === undefined ? 300 : 5000);
      const got = await answer.then(
        ({ status: number }) => number,
        () => undefined,
      );
      return [uri, status === 4 ? Math.floor((got ?? 0) / 100) : got];
    }),
  );
  expect(answered).toEqual(ODD.map(([uri, status]) => [uri, status]));
  const itself = await client.request(client.other('OPTIONS', `sip:127.0.0.1:${port}`));
  expect(itself.status).toBeLessThan(500);
  expect((await client.request(client.other('OPTIONS', 'sip:example.com'))).status).toBe(200);
  client.close();
}
