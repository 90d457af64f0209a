// docs/proxies.md's edge with users of several phones, behind NAT: contacts that nobody can reach, over connections that the edge holds.

import { afterAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { Edge } from '../support/edge-proxy.ts';
import { configFile } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';
import { headers, newBranch, newToken, SipClient, sip } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

type Phone = SipClient | StreamClient;

const BEHIND_NAT = '192.0.2.77:5999';
const COPIED = ['Via', 'From', 'Call-ID', 'CSeq', 'Record-Route'];

async function phones(edge: Edge): Promise<{ udp: Phone; tcp: Phone; other: Phone }> {
  const udp = await SipClient.open({ address: edge.address, port: edge.port });
  return { udp, tcp: await StreamClient.tcp(edge), other: await StreamClient.tcp(edge) };
}

/** The next request of this method in a call; whatever else comes is passed over. */
async function requestOf(phone: Phone, method: string, callId: string): Promise<string> {
  for (;;) {
    const kept = phone.inbox.findIndex(({ text }) => text.startsWith(`${method} `) && text.includes(callId));
    if (kept >= 0) return phone.inbox.splice(kept, 1)[0].text;
    phone.inbox.push(await phone.next());
  }
}

function answer(phone: Phone, request: string, status: string): void {
  const copied = COPIED.flatMap((name) => headers(request, name).map((value) => `${name}: ${value}`));
  const to = `To: ${headers(request, 'To')[0].replace(/;tag=.*/, '')};tag=callee`;
  phone.send(sip([`SIP/2.0 ${status}`, ...copied, to, `Contact: <sip:bob@${BEHIND_NAT}>`]));
}

/** A request of the callee in the dialog that `invite` opened. */
function fromCallee(phone: Phone, invite: string, method: string): string {
  const [from] = headers(invite, 'From');
  const target = /<([^>]+)>/.exec(headers(invite, 'Contact')[0])?.[1];
  return sip([
    `${method} ${target} SIP/2.0`,
    `Via: ${phone.via(newBranch())}`,
    ...headers(invite, 'Record-Route').map((route) => `Route: ${route}`),
    `From: ${headers(invite, 'To')[0]};tag=callee`,
    `To: ${from}`,
    `Call-ID: ${headers(invite, 'Call-ID')[0]}`,
    `CSeq: 1 ${method}`,
    'Max-Forwards: 70',
  ]);
}

describe.skipIf(peerMissing('kamailio'))('Kamailio as edge proxy', () => {
  it.concurrent.each(['SIP', 'HTTP'])(
    'R3327-5.4-01 R3261-8.3-01 has all phones of a user ring, and a caller behind NAT hear the end; asked by %s',
    async (way) => {
      const aorta = await Aorta.start({ flags: ['--lookup', 'http:127.0.0.1:0'], shards: 2 });
      const http = Number(/^lookups http:\/\/127\.0\.0\.1:(\d+)\//m.exec(aorta.stdout)?.[1]);
      const edge = await Edge.start({ sip: aorta.port, ...(way === 'HTTP' && { http }) });
      const bobs = await phones(edge);
      for (const [n, phone] of Object.values(bobs).entries()) {
        const contacts = [`<sip:bob${n}@${BEHIND_NAT}>`];
        expect((await phone.request(phone.register({ aor: 'bob@example.com', contacts }))).status).toBe(200);
      }
      const callers = await phones(edge);
      for (const [name, alice] of Object.entries(callers)) {
        const callId = newToken();
        const from = `From: <sip:alice@example.com>;tag=${newToken()}`;
        const rest = ['To: <sip:bob@example.com>', `Call-ID: ${callId}`, `Contact: <sip:alice@${BEHIND_NAT}>`];
        const lines = [from, ...rest, `Via: ${alice.via(newBranch())}`, 'CSeq: 1 INVITE', 'Max-Forwards: 70'];
        alice.send(sip(['INVITE sip:bob@example.com SIP/2.0', ...lines]));
        const invites = await Promise.all(Object.values(bobs).map((phone) => requestOf(phone, 'INVITE', callId)));
        expect(new Set(invites.map((invite) => /bob\d/.exec(invite)?.[0])).size).toBe(3);
        answer(bobs.udp, invites[0], '180 Ringing'); // before that nobody may be sent a CANCEL (RFC 3261 §9.1)
        answer(bobs.other, invites[2], '180 Ringing');
        for (let rings = 0; rings < 2; rings += alice.inbox.splice(0).filter(({ status }) => status === 180).length)
          alice.inbox.push(await alice.next());
        answer(bobs.tcp, invites[1], '200 OK');
        for (const phone of [bobs.udp, bobs.other]) answer(phone, await requestOf(phone, 'CANCEL', callId), '200 OK');
        for (const [n, phone] of [bobs.udp, bobs.tcp, bobs.other].entries())
          if (n !== 1) answer(phone, invites[n], '487 Request Terminated');
        const bye = fromCallee(bobs.tcp, invites[1], 'BYE');
        const ended = bobs.tcp.request(bye);
        answer(alice, await requestOf(alice, 'BYE', callId), '200 OK');
        expect([name, (await ended).status]).toEqual([name, 200]);
      }
      for (const phone of [...Object.values(bobs), ...Object.values(callers)]) phone.close();
    },
  );

  it.concurrent('tells no stranger where a user is: neither by a made-up dialog nor by watching', async () => {
    const config = configFile(
      'registration-events: {enabled: true}',
      'auth: {mode: digest, trusted-proxies: 127.0.0.1}',
    );
    const aorta = await Aorta.start({ flags: ['--config', config], shards: 2 });
    const edge = await Edge.start({ sip: aorta.port, auth: true });
    const phone = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    const contacts = [`<sip:alice@${BEHIND_NAT}>`];
    expect((await phone.request(phone.register({ aor: 'alice@example.com', contacts }))).status).toBe(200);
    const stranger = await SipClient.open({ address: edge.address, port: edge.port });
    const routes = [`Route: <sip:127.0.0.1:${edge.port};lr>`, `Route: <sip:127.0.0.1:${aorta.port};lr>`];
    for (const method of ['MESSAGE', 'SUBSCRIBE', 'OPTIONS']) {
      const to = '<sip:alice@example.com>;tag=made-up';
      const { status, text } = await stranger.request(stranger.other(method, 'sip:alice@example.com', routes, { to }));
      expect([method, status, headers(text, 'Contact')]).toEqual([method, 481, []]);
    }
    for (const event of ['Event: reg', 'o: reg', 'Event:\r\n reg;id=1']) {
      const fields = { from: `<sip:alice@example.com>;tag=${newToken()}`, to: '<sip:alice@example.com>' };
      const rows = [event, `Contact: <sip:m@127.0.0.1:${stranger.port}>`];
      const asked = stranger.other('SUBSCRIBE', 'sip:alice@example.com', rows, fields);
      expect([event, (await stranger.request(asked)).status]).toEqual([event, 401]);
    }
    stranger.close();
    phone.close();
  });

  it.concurrent('answers STUN (RFC 5626 §8) on the port that phones keep open by it', async () => {
    const aorta = await Aorta.start({ shards: 1 });
    const edge = await Edge.start({ sip: aorta.port });
    const phone = await SipClient.open({ address: edge.address, port: edge.port });
    const answered = new Promise<Buffer>((resolve) => phone.socket.once('message', resolve));
    phone.send(Buffer.from(`000100002112a442${'61'.repeat(12)}`, 'hex'));
    expect((await answered).subarray(0, 2).toString('hex')).toBe('0101');
    phone.close();
  });
});
