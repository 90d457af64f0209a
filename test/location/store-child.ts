// A process with a location store of its own, to be killed, traced or starved by the tests.
// Arguments: acknowledge | trace | trace-passing | disk-full | fill | scan, directory, durability.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Durability } from '../../src/location/log/log.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { keyWords, putRecord, textOf } from './store-records.ts';

const [mode, directory, durability] = process.argv.slice(2);
const store = openLogStore(directory, durability as Durability);
const writes = new WriteSet();

function commit(first: number, count: number, size = 100): void {
  writes.clear();
  for (let n = first; n < first + count; n++) putRecord(writes, n, `aor-${n}`, size);
  store.commit(writes, 0);
}

/** Commits one AOR after the other and says so, until it is killed. */
function acknowledge(): void {
  for (let n = 0; ; n++) {
    commit(n, 1);
    writeSync(1, `${n}\n`);
  }
}

/** An AOR is gone, as a sweep has it. */
function expire(n: number, lasting: boolean): void {
  writes.clear();
  writes.reserve(0);
  writes.put(...keyWords(n), 0);
  store.commit(writes, 0, lasting);
}

/** Ten loads and commits between two marks. @param lasting whether each of them, or the last alone: the others only remove */
function trace(lasting: boolean): void {
  commit(0, 10);
  for (let n = 0; n < 10; n++) {
    writeSync(1, 'before\n');
    textOf(store, n);
    if (lasting) commit(n, 1);
    else expire(n, n === 9);
    writeSync(1, 'after\n');
  }
}

/** Commits until the file may not grow any more, then goes on: in another one. */
function diskFull(): void {
  process.on('SIGXFSZ', () => {});
  let next = 0;
  let failure = '';
  while (failure === '') {
    try {
      commit(next, 50, 1000);
      next += 50;
    } catch (error) {
      failure = String(error);
    }
  }
  let kept = 0;
  for (let n = 0; n < next; n++) if (textOf(store, n) !== undefined) kept++;
  let applied = 0;
  for (let n = next; n < next + 50; n++) if (textOf(store, n) !== undefined) applied++;
  let again = 0;
  for (; again < 5; again++) commit(next, 50, 1000);
  const { records } = store.scan(() => {});
  writeSync(1, `${JSON.stringify({ failure, committed: next, kept, applied, again, records })}\n`);
}

/** Takes all descriptors, then gives one after the other back until a commit, which begins a generation, succeeds. */
function fewDescriptors(): void {
  const taken: number[] = [];
  const refused: unknown[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // all of them
  }
  for (let applied = 0; applied === 0 && taken.length > 0; ) {
    try {
      commit(1, 1);
      applied = 1;
      writeSync(1, JSON.stringify({ refused, applied }));
    } catch (error) {
      refused.push((error as NodeJS.ErrnoException).code);
      closeSync(taken.pop() ?? -1);
    }
  }
}

if (mode === 'acknowledge') acknowledge();
else if (mode === 'trace') trace(true);
else if (mode === 'trace-passing') trace(false);
else if (mode === 'fill') commit(0, 500);
else if (mode === 'few-descriptors') fewDescriptors();
else if (mode === 'scan') store.scan(() => {});
else diskFull();
process.exit(0);
