// Which bindings count now: every way to ask gives the same answer, and of an instance's flows all name the same as the newest.

import { describe, expect, it } from 'vitest';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { answered, request } from '../../support/requests.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
const LOOKUP = { lookup: { sip: 'trusted', from: ['192.0.2.0/24'] } } as const;

/** A shard beside connections, of which those in the set stand. */
function beside(flows: Set<number>, flowGraceS = 0): VirtualShard {
  return new VirtualShard({ flows: { isAlive: (flow) => flows.has(flow) }, policy: { ...LOOKUP, flowGraceS } });
}

function bind(shard: VirtualShard, flow: number, options: RegisterOptions): Answer {
  return answered(shard, register({ callId: 'one', ...options }), { transport: TRANSPORT_TCP, flow });
}

function asked(shard: VirtualShard, method: string): Answer {
  return answered(shard, request({ method, uri: 'sip:alice@example.com', to: '<sip:alice@example.com>' }));
}

const uris = ({ contacts }: Answer): string[] => contacts.map(({ uri }) => uri);
const fetched = (shard: VirtualShard): string[] =>
  uris(answered(shard, register({ callId: 'fetch', contacts: [], extra: ['Supported: gruu'] })));

describe('a binding is a target', () => {
  const local = (user: string, expires = 3600): RegisterOptions => ({
    contacts: [`<sip:${user}@192.0.2.9:5060;transport=tcp>;expires=${expires}`],
  });

  it.each([
    ['lives and its connection stands', 0, true, 0, true],
    ['has a last millisecond', 59_999, true, 0, true],
    ['has run out', 60_000, true, 0, false],
    ['has lost its connection', 0, false, 0, false],
    ['is parked', 0, false, 30, false],
  ])('R5626-7-01 R3261-8.3-01: one that %s, whoever asks', (_state, ms, stands, graceS, isTarget) => {
    const flows = new Set([1, 2]);
    const shard = beside(flows, graceS);
    bind(shard, 1, { ...local('a', 60), cseq: 1 });
    shard.now += ms; // before any sweep
    if (!stands) flows.delete(1);
    expect(asked(shard, 'INVITE').status).toBe(isTarget ? 302 : 404);
    expect(fetched(shard)).toHaveLength(isTarget ? 1 : 0);
    const other = bind(shard, 2, { ...local('b'), cseq: 2 });
    expect(uris(other)).toHaveLength(isTarget ? 2 : 1);
  });
});

describe('the newest flow of an instance', () => {
  const flow = (regId: number): RegisterOptions => ({
    contacts: [`<sip:alice@192.0.2.9:506${regId};transport=tcp;ob>;reg-id=${regId};${INSTANCE}`],
    extra: ['Supported: outbound, path, gruu'],
  });
  const tempOf = ({ text }: Answer): string => /;temp-gruu="([^"]+)"/.exec(text)?.[1] ?? 'none';
  const ports = (answer: Answer): string[] => uris(answer).map((uri) => /:(506\d);/.exec(uri)?.[1] ?? uri);

  it.each([
    ['the one refreshed later', 5, 6, 1, ['5062', '5061']],
    ['the one with the higher CSeq in the same millisecond', 6, 5, 0, ['5061', '5062']],
    ['the one bound later where nothing else tells', 5, 5, 0, ['5062', '5061']],
  ])('R5626-7-01 R5627-5.2-02: is %s, for lookups and for GRUUs', (_which, first, second, ms, order) => {
    const shard = beside(new Set([1, 2]));
    bind(shard, 1, { ...flow(1), cseq: 1 });
    bind(shard, 2, { ...flow(2), cseq: 2 });
    shard.now += 1000;
    const answers = [bind(shard, 1, { ...flow(1), cseq: first })];
    shard.now += ms;
    answers.push(bind(shard, 2, { ...flow(2), cseq: second }));
    expect(ports(asked(shard, 'INVITE'))).toEqual([order[0]]);
    const newest = answers[order[0] === '5061' ? 0 : 1];
    const fetch = answered(shard, register({ callId: 'fetch', contacts: [], extra: ['Supported: gruu'] }));
    expect(tempOf(fetch)).toBe(tempOf(newest));
  });

  it('R5626-7-01 R5627-5.2-02: is one whose connection stands', () => {
    const flows = new Set([1, 2]);
    const shard = beside(flows);
    const first = bind(shard, 1, { ...flow(1), cseq: 1 });
    shard.now += 1000;
    bind(shard, 2, { ...flow(2), cseq: 2 });
    flows.delete(2);
    expect(ports(asked(shard, 'INVITE'))).toEqual(['5061']);
    const fetch = answered(shard, register({ callId: 'fetch', contacts: [], extra: ['Supported: gruu'] }));
    expect(tempOf(fetch)).toBe(tempOf(first));
  });
});
