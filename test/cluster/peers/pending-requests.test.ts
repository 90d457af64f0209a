import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneRow, ROW_BYTES, readRow } from '../../../src/cluster/peers/peer-frame.ts';
import { PENDING_MAX } from '../../../src/cluster/peers/peer-limits.ts';
import { PendingRequests } from '../../../src/cluster/peers/pending-requests.ts';

const HOLD_MS = 1000;
const bytes = Uint8Array.of(0, 1, 2, 3, 4);

const asked = oneRow();

function add(pending: PendingRequests, now: number, flow = 1) {
  asked.family[0] = 4;
  asked.flow[0] = flow;
  const request = pending.add(0, bytes, 1, 4, asked, 0, now);
  if (request === null) throw new Error('no room');
  return request;
}

describe('requests that wait for the answer of another node', () => {
  it('keep their own bytes and row', () => {
    const request = add(new PendingRequests(HOLD_MS), 0, 9);
    const row = oneRow();
    expect(readRow(request.body, 0, request.body.length, row, 0)).toBe(true);
    expect([...request.body.subarray(ROW_BYTES)]).toEqual([1, 2, 3]);
    expect(row.flow[0]).toBe(9);
  });

  it('are answered once, and over their own connection alone', () => {
    const pending = new PendingRequests(HOLD_MS);
    const { ticket } = add(pending, 0, 9);
    expect(pending.answered(ticket, 8)).toBe(false);
    expect(pending.answered(ticket + 1, 9)).toBe(false);
    expect(pending.answered(ticket, 9)).toBe(true);
    expect(pending.answered(ticket, 9)).toBe(false);
  });

  it('are given back when their time is over, and not before', () => {
    const pending = new PendingRequests(HOLD_MS);
    const first = add(pending, 0);
    const second = add(pending, 10);
    expect(pending.overdue(HOLD_MS - 1)).toEqual([]);
    expect(pending.overdue(HOLD_MS)).toEqual([first]);
    expect(pending.overdue(HOLD_MS + 10)).toEqual([second]);
    expect(pending.count).toBe(0);
  });

  it('are asked anew where the node that was asked is gone, or owns the shard no more', () => {
    const pending = new PendingRequests(HOLD_MS);
    const [lost, astray, fine] = [add(pending, 0), add(pending, 0), add(pending, 0)];
    Object.assign(lost, { node: 2 });
    Object.assign(astray, { node: 3, askedAt: 0 });
    Object.assign(fine, { node: 4, askedAt: 0 });
    expect(pending.lost(2)).toBe(1);
    pending.astray(499, () => 4);
    expect(pending.homeless()).toEqual([lost]);
    pending.astray(500, () => 0);
    expect(pending.homeless()).toEqual([lost]);
    pending.astray(500, () => 4);
    expect(pending.homeless()).toEqual([lost, astray]);
  });

  it('are no more than there is room for', () => {
    const pending = new PendingRequests(HOLD_MS);
    for (let i = 0; i < PENDING_MAX; i++) add(pending, 0);
    expect(pending.add(0, bytes, 0, 4, asked, 0, 0)).toBeNull();
    pending.overdue(HOLD_MS);
    expect(pending.add(0, bytes, 0, 4, asked, 0, 0)).not.toBeNull();
    const large = new Uint8Array(60_000);
    let kept = 0;
    while (pending.add(0, large, 0, large.length, asked, 0, 0) !== null) kept++;
    expect(kept * large.length).toBeLessThanOrEqual(32 << 20);
    expect(kept).toBeGreaterThan(500);
  });

  it('end each in exactly one way: answered, or given back', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), ms: fc.nat(200) }),
      fc.record({ do: fc.constant('answer' as const), pick: fc.nat(50) }),
      fc.record({ do: fc.constant('lose' as const), node: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('ask' as const), node: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.nat(700) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pending = new PendingRequests(HOLD_MS);
        const all: number[] = [];
        const ends: number[] = [];
        let now = 0;
        for (const each of steps) {
          if (each.do === 'add') all.push(add(pending, (now += each.ms)).ticket);
          else if (each.do === 'answer') {
            const ticket = all[each.pick % Math.max(1, all.length)] ?? 0;
            if (pending.answered(ticket, 1)) ends.push(ticket);
          } else if (each.do === 'lose') pending.lost(each.node);
          else if (each.do === 'ask') for (const request of pending.homeless()) request.node = each.node;
          else for (const { ticket } of pending.overdue((now += each.ms))) ends.push(ticket);
        }
        for (const { ticket } of pending.overdue(now + HOLD_MS)) ends.push(ticket);
        expect(ends.toSorted((x, y) => x - y)).toEqual(all);
      }),
    );
  });
});
