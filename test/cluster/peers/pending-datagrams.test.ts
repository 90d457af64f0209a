import { describe, expect, it } from 'vitest';
import { oneRow, ROW_BYTES, readRow } from '../../../src/cluster/peers/peer-frame.ts';
import { DATAGRAM_MS_MAX, DATAGRAMS_MAX } from '../../../src/cluster/peers/peer-limits.ts';
import { type PendingDatagram, PendingDatagrams } from '../../../src/cluster/peers/pending-datagrams.ts';

const HOLD_MS = 1000;

function keep(pending: PendingDatagrams, { shard = 0, message = 1, port = 5060, now = 0 } = {}): boolean {
  const source = oneRow();
  source.family[0] = 4;
  source.port[0] = port;
  return pending.keep(shard, Uint8Array.of(0, message, message >> 8, 0), 1, 3, source, 0, now);
}

/** Hands on what `isWanted` and returns it. */
function handOn(pending: PendingDatagrams, now = 0, isWanted: (datagram: PendingDatagram) => boolean = () => true) {
  const handed: PendingDatagram[] = [];
  const overdue: PendingDatagram[] = [];
  const hand = (datagram: PendingDatagram) => isWanted(datagram) && handed.push(datagram) > 0;
  pending.work(now, hand, (datagram) => void overdue.push(datagram));
  return { handed, overdue: overdue.length };
}

describe('requests over UDP that wait for an owner of their shard', () => {
  it('are handed on once, the oldest first, with their bytes and where they came from', () => {
    const pending = new PendingDatagrams(HOLD_MS);
    for (const port of [1, 2]) keep(pending, { port });
    const { handed } = handOn(pending);
    const row = oneRow();
    const ports = handed.map(({ body }) => readRow(body, 0, body.length, row, 0) && row.port[0]);
    expect(ports).toEqual([1, 2]);
    expect(handed.map(({ body }) => [...body.subarray(ROW_BYTES)])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(handOn(pending).handed).toEqual([]);
  });

  it('are kept once where a phone repeats itself, and as two where two phones sent the same', () => {
    const pending = new PendingDatagrams(HOLD_MS);
    for (const now of [0, 500, 700]) expect(keep(pending, { now })).toBe(true);
    expect(pending.count).toBe(1);
    keep(pending, { port: 5061 });
    expect(pending.count).toBe(2);
  });

  it('wait for the owner of their own shard', () => {
    const pending = new PendingDatagrams(HOLD_MS);
    for (const shard of [0, 1, 2]) keep(pending, { shard, message: shard });
    expect(handOn(pending, 0, ({ shard }) => shard === 1).handed.map(({ shard }) => shard)).toEqual([1]);
    expect(handOn(pending).handed.map(({ shard }) => shard)).toEqual([0, 2]);
  });

  it('are given back when their time is over, which begins with the first copy, and not before', () => {
    const pending = new PendingDatagrams(HOLD_MS);
    keep(pending);
    keep(pending, { now: 500 });
    const nobody = () => false;
    expect(handOn(pending, HOLD_MS - 1, nobody)).toEqual({ handed: [], overdue: 0 });
    expect(handOn(pending, HOLD_MS)).toEqual({ handed: [], overdue: 1 });
    expect(pending.count).toBe(0);
  });

  it('wait no longer than a transaction lives', () => {
    const pending = new PendingDatagrams(10 * DATAGRAM_MS_MAX);
    keep(pending);
    expect(handOn(pending, DATAGRAM_MS_MAX).overdue).toBe(1);
  });

  it('are so many at most, and more when some are gone', () => {
    const pending = new PendingDatagrams(HOLD_MS);
    for (let message = 0; message < DATAGRAMS_MAX; message++) expect(keep(pending, { message })).toBe(true);
    expect(keep(pending, { message: DATAGRAMS_MAX })).toBe(false);
    handOn(pending, 0, ({ body }) => body[ROW_BYTES] === 0 && body[ROW_BYTES + 1] === 0);
    expect(keep(pending, { message: DATAGRAMS_MAX })).toBe(true);
  });
});
