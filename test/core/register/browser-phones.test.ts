// JsSIP and SIP.js as they register: an instance, reg-id=1 and the options path, gruu and outbound, over a WebSocket of ours
// or of an edge proxy. What a page that is loaded again, or opened in two tabs, makes of its bindings.

import { describe, expect, it } from 'vitest';
import { answered, request } from '../../support/requests.ts';
import { storedBindings } from '../../support/stored-bindings.ts';
import { type Answer, VirtualShard } from '../../support/virtual-shard.ts';

interface Page {
  readonly agent: 'JsSIP 3.10.1' | 'SIP.js/0.21.2';
  readonly instance: string;
  readonly callId: string;
  readonly host: string;
  /** Header lines of an edge proxy, its Via first. */
  readonly edge?: readonly string[];
}

const ANNA = 'f1a7d3c5-22be-4c86-9a1d-6e0b7d45c3f2';
let branches = 0;

function send(shard: VirtualShard, page: Page, cseq: number, expires = 600): Answer {
  const [via, ...rest] = page.edge ?? [];
  const isJsSip = page.agent.startsWith('JsSIP');
  const params = isJsSip
    ? `;+sip.ice;reg-id=1;+sip.instance="<urn:uuid:${page.instance}>";expires=${expires}`
    : `;+sip.instance="<urn:uuid:${page.instance}>";reg-id=1;expires=${expires}`;
  const lines = [
    'REGISTER sip:example.com SIP/2.0',
    ...(via === undefined ? [] : [`${via}${++branches}`]),
    `Via: SIP/2.0/WSS ${page.host}.invalid;branch=z9hG4bK${++branches}`,
    'Max-Forwards: 69',
    'To: <sip:anna@example.com>',
    `From: "Anna" <sip:anna@example.com>;tag=ol2f6j${page.callId}`,
    `Call-ID: ${page.callId}`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: <sip:7kq2l0xn@${page.host}.invalid;transport=wss>${params}`,
    ...(isJsSip ? [`Expires: ${expires}`] : []),
    'Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY',
    `Supported: ${isJsSip ? 'path,gruu,outbound' : 'outbound, path, gruu'}`,
    `User-Agent: ${page.agent}`,
    ...rest,
    'Content-Length: 0',
  ];
  return answered(shard, `${lines.join('\r\n')}\r\n\r\n`);
}

describe.each(['JsSIP 3.10.1', 'SIP.js/0.21.2'] as const)('%s', (agent) => {
  const page: Page = { agent, instance: ANNA, callId: 'first', host: '0e9q4t3v8c2m' };

  it('R5626-6-10 R5627-5.2-02 is a flow with GRUUs, refreshed and taken back', () => {
    const shard = new VirtualShard();
    const answer = send(shard, page, 1);
    expect([answer.status, answer.header('Require')]).toEqual([200, ['outbound']]);
    expect(answer.contacts[0].row).toContain(`pub-gruu="sip:anna@example.com;gr=urn:uuid:${ANNA}"`);
    expect(answer.contacts[0].row).toMatch(/;temp-gruu="sip:[\w-]{64}@example\.com;gr"/);
    expect(send(shard, page, 2).contacts).toHaveLength(1);
    expect(send(shard, page, 3, 0).contacts).toEqual([]);
  });

  it('R5627-5.1-06 R5627-6.1-02 is found by both, and after its page was loaded again by the public one alone of the old', () => {
    const shard = new VirtualShard({ policy: { lookup: { sip: 'trusted', from: ['192.0.2.0/24'] } } });
    const gruus = (answer: Answer) =>
      ['pub', 'temp'].map((kind) => new RegExp(`;${kind}-gruu="([^"]*)"`).exec(answer.text)?.[1] ?? '');
    const ask = (uri: string) => {
      const { status, contacts } = answered(shard, request({ method: 'INVITE', uri, to: `<${uri}>` }));
      return [status, ...contacts.map((contact) => contact.uri)];
    };
    const first = gruus(send(shard, page, 1));
    const found = [302, `sip:7kq2l0xn@${page.host}.invalid;transport=wss`];
    expect(first.map(ask)).toEqual([found, found]);
    const reloaded = { ...page, callId: 'second', host: 'zj3b8s0l5n1p' };
    const second = gruus(send(shard, reloaded, 1));
    const there = [302, 'sip:7kq2l0xn@zj3b8s0l5n1p.invalid;transport=wss'];
    expect([...first, ...second].map(ask)).toEqual([there, [404], there, there]);
  });

  it('R5626-6-08 has one binding after its page was loaded again, two in two tabs', () => {
    const shard = new VirtualShard();
    send(shard, page, 1);
    const reloaded = { ...page, callId: 'second', host: 'zj3b8s0l5n1p' };
    expect(send(shard, reloaded, 1).contacts.map(({ uri }) => uri)).toEqual([
      'sip:7kq2l0xn@zj3b8s0l5n1p.invalid;transport=wss',
    ]);
    const tab = { ...page, callId: 'third', host: 'p5m2x9', instance: '00000000-0000-4000-8000-000000000001' };
    expect(send(shard, tab, 1).contacts).toHaveLength(2);
  });

  it('R5626-6-03 R3327-5.3-02 needs an edge proxy with Path and ob, else it draws 439', () => {
    const shard = new VirtualShard();
    const via = 'Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKedge';
    const path = 'Path: <sip:Zm9v@192.0.2.15;lr;ob>';
    expect(send(shard, { ...page, edge: [via] }, 1).status).toBe(439);
    expect(send(shard, { ...page, edge: [via, 'Path: <sip:192.0.2.15;lr>'] }, 2).status).toBe(439);
    const answer = send(shard, { ...page, edge: [via, path] }, 3);
    expect([answer.status, answer.header('Path')]).toEqual([200, [path.slice(6)]]);
    expect(storedBindings(shard.store).get('anna@example.com')).toMatchObject([{ regId: 1, path: path.slice(6) }]);
  });
});
