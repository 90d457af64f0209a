// What a request costs, in a count that no busy machine changes: calls into WebAssembly. The limits are what it costs today; a change
// that raises one has to say why.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

/** Calls by the name of the export. */
const calls = new Map<string, number>();

/** Before any module makes its instance: each export counts its calls. */
function countCalls(): void {
  const api = (globalThis as unknown as { WebAssembly: { Instance: new (...args: unknown[]) => { exports: object } } })
    .WebAssembly;
  const { Instance } = api;
  const counting = (name: string, run: (...args: unknown[]) => unknown) =>
    function counted(...args: unknown[]): unknown {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return run(...args);
    };
  api.Instance = function made(...args: unknown[]) {
    const entries = Object.entries(new Instance(...args).exports);
    const wrap = ([name, value]: [string, unknown]) =>
      [name, typeof value === 'function' ? counting(name, value as () => unknown) : value] as const;
    return { exports: Object.fromEntries(entries.map(wrap)) };
  } as unknown as typeof Instance;
}

countCalls();
const { BATCH, Driver } = await import('../../bench/parts/driver.ts');
const { openLogStore } = await import('../../src/location/open-log-store.ts');

const AORS = 64 * BATCH;
const directory = mkdtempSync(join(tmpdir(), 'aorta-counts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a request costs', () => {
  const store = openLogStore(join(directory, 'shard-0'), 'process');
  const driver = new Driver(store);
  afterAll(() => store.close());
  let next = 0;
  const registerOnce = () => {
    driver.batch(next, 1, Number.MAX_SAFE_INTEGER);
    next += BATCH;
  };
  let at = 0;
  const refresh = () => {
    driver.batch(at, 1, AORS);
    at = (at + BATCH) % AORS;
  };

  function callsOf(batch: () => void): number {
    const before = [...calls.values()].reduce((sum, n) => sum + n, 0);
    batch();
    return ([...calls.values()].reduce((sum, n) => sum + n, 0) - before) / BATCH;
  }

  it('so many calls into WebAssembly: a first registration, and a refresh', () => {
    const first = callsOf(registerOnce);
    while (next < AORS) registerOnce();
    refresh();
    const again = callsOf(refresh);
    driver.check();
    // parse, AOR, keys, image, identity, and four for the answer.
    expect(first).toBe(9);
    // parse, AOR, keys, and one for all the rest.
    expect(again).toBe(4);
  });
});
