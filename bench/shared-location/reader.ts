// The other process: lookups in the read model, timed, and how late changes are seen.

import { setTimeout as delay } from 'node:timers/promises';
import { type Location, openLocation } from '../../src/location.ts';

const [data, count] = process.argv.slice(2);
process.on('disconnect', () => process.exit());
const aors = Number(count);
const LOOKUPS = Math.min(300_000, 10 * aors);

function open(): Location | undefined {
  try {
    return openLocation(data);
  } catch {
    return undefined;
  }
}

/** AORs in an order that no cache likes. */
function name(i: number): string {
  return `user${String((i * 7_368_787) % aors).padStart(8, '0')}@example.com`;
}

function timed(look: (aor: string) => boolean): number {
  const names = Array.from({ length: LOOKUPS }, (_, i) => name(i));
  for (const aor of names.slice(0, 20_000)) look(aor);
  const begin = performance.now();
  for (const aor of names) if (!look(aor)) throw new Error(`${aor} is not there`);
  return Number((((performance.now() - begin) * 1000) / LOOKUPS).toFixed(2));
}

let location = open();
while (location === undefined) {
  await delay(20);
  location = open();
}
const there = location;
process.send?.({ type: 'open' });
const best = (look: (aor: string) => boolean) => Math.min(timed(look), timed(look), timed(look));
const figures = {
  has: best((aor) => there.has(aor)),
  lookup: best((aor) => there.lookup(aor).contacts.length > 0),
};
process.send?.({ type: 'lookups', figures });

// A change is told by the time in the record: when it was refreshed, in ms, to be seen with the next look.
const lags: number[] = [];
let watching = false;
process.on('message', (order) => {
  if (order === 'watch') watching = true;
  if (order !== 'done') return;
  lags.sort((a, b) => a - b);
  const at = (share: number) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))];
  process.send?.({ type: 'lag', figures: { samples: lags.length, p50: at(0.5), p99: at(0.99), max: at(1) } });
  watching = false;
});
for (let i = 0; ; i++) {
  await delay(watching ? 0 : 50);
  if (!watching) continue;
  const aor = `user${String((i * 7919) % Math.min(2000, aors)).padStart(8, '0')}@example.com`;
  const [before] = there.lookup(aor).contacts;
  const end = performance.now() + 2000;
  // Busy for at most 2 s per AOR: until its next change is seen.
  for (let now = Date.now(); performance.now() < end; now = Date.now()) {
    const [{ expiresAt, callId }] = there.lookup(aor).contacts;
    if (callId !== before.callId) {
      lags.push(now - (expiresAt - 3_600_000));
      break;
    }
    await delay(0);
  }
}
