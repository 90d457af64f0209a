import { expect, it } from 'vitest';
import { EventJournal } from '../../../src/server/admin/event-journal.ts';
import type { BindingListener } from '../../../src/shard/observe/binding-events.ts';

const KEPT = 16_384;

it('keeps the newest 16,384 events, each under its number, and none once it has stopped', () => {
  let tell: BindingListener = () => {};
  const journal = new EventJournal((listener) => {
    tell = listener;
    return () => {};
  });
  let woken = 0;
  journal.watch(() => woken++);
  expect([journal.oldest, journal.newest, journal.at(1)]).toEqual([1, 0, undefined]);
  for (let count = 1; count <= KEPT + 100; count++) tell({ type: 'lost', shard: 0, count });
  expect([journal.oldest, journal.newest, woken]).toEqual([101, KEPT + 100, KEPT + 100]);
  for (const number of [101, 102, KEPT - 1, KEPT, KEPT + 1, KEPT + 100]) {
    expect(journal.at(number)).toMatchObject({
      number,
      data: JSON.stringify({ type: 'lost', shard: 0, count: number }),
    });
  }
  expect([journal.at(100), journal.at(KEPT + 101), journal.at(0)]).toEqual([undefined, undefined, undefined]);
  journal.stop();
  expect([journal.oldest, journal.at(KEPT + 100)]).toEqual([KEPT + 101, undefined]);
});
