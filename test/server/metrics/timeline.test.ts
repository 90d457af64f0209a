// The recent past: what is kept of it, how long, and how it is asked for.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RANGES, Timeline } from '../../../src/server/metrics/timeline.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../../src/shard/observe/counters.ts';
import { HISTOGRAM_ROW, latencyRow, MEASURES_BYTES, OUTCOME_ACCEPTED } from '../../../src/shard/observe/measures.ts';
import type { ShardReading } from '../../../src/shard/observe/shard-reading.ts';
import { type AdminFixture, startAdmin } from '../../support/admin-server.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';

const START = 1_700_000_000_000;

/** Two shards whose counters the test sets, and a clock that it moves. */
function world() {
  const shard = (): ShardReading => ({
    counters: new Float64Array(COUNTER_NAMES.length),
    measures: new Float64Array(MEASURES_BYTES / 8),
    ringBytes: 0,
    ringCapacity: 1,
    open: true,
  });
  const shards = [shard(), shard()];
  let readings: ShardReading[] = shards;
  const source = { readings: () => readings, connections: () => 7, lookups: () => 0 };
  const timeline = new Timeline(source, () => {});
  timeline.close();
  let ms = 0;
  return {
    timeline,
    shards,
    add: (name: CounterName, amount: number, which = 0) => {
      shards[which].counters[COUNTER[name]] += amount;
    },
    answered: (bucket: number, count: number, transport = 0) => {
      shards[1].measures[latencyRow(OUTCOME_ACCEPTED, transport) * HISTOGRAM_ROW + bucket] += count;
    },
    tick: (seconds = 1) => {
      for (let i = 0; i < seconds; i++, ms += 1000) timeline.tick(START + ms, ms);
    },
    begin: (all: boolean) => {
      readings = all ? shards : [];
    },
  };
}

describe('a timeline', () => {
  it('has rates of all shards, how many there are, and processor apart from disk', () => {
    const { timeline, add, answered, tick } = world();
    tick();
    add('ok', 30);
    add('ok', 12, 1);
    add('refused_interval_too_brief', 3);
    add('refused_no_credentials', 5, 1);
    add('put_off_new', 2);
    add('bindings', 100);
    add('busy_us', 500_000);
    add('commit_us', 300_000);
    answered(3, 40);
    answered(9, 2, 4);
    tick();
    const [point] = timeline.points('5m');
    expect(point.values).toMatchObject({
      accepted: 42,
      refused: 3,
      challenged: 5,
      putOff: 2,
      bindings: 100,
      connections: 7,
    });
    expect(point.values.disk).toBeCloseTo(0.15);
    expect(point.values.cpu).toBeCloseTo(0.1);
    expect([point.latency[3], point.latency[9], point.latency.length]).toEqual([40, 2, 17]);
  });

  it('keeps each range at its step, and no more than it holds', () => {
    const { timeline, tick } = world();
    tick(1 + 3600 + 5 * 120);
    expect(timeline.points('5m')).toHaveLength(300);
    expect(timeline.points('1h')).toHaveLength(720);
    expect(timeline.points('1d')).toHaveLength((3600 + 600) / 120);
    for (const name of ['5m', '1h', '1d'] as const) {
      const [a, b] = timeline.points(name);
      expect(b.at - a.at).toBe(RANGES[name].step * 1000);
    }
    const last = timeline.points('1h').at(-1)?.at ?? 0;
    expect(timeline.points('1h', last - 10_000)).toHaveLength(2);
    expect(timeline.points('1h', last)).toEqual([]);
  });

  it('counts nothing while the server starts, and nothing below none where a shard counts anew', () => {
    const { timeline, shards, add, tick, begin } = world();
    begin(false);
    tick(3);
    expect(timeline.points('5m')).toEqual([]);
    begin(true);
    add('ok', 50);
    tick(2);
    shards[0].counters.fill(0);
    tick();
    expect(timeline.points('5m').map(({ values }) => values.accepted)).toEqual([0, 0]);
  });
});

interface Columns {
  readonly stepSeconds: number;
  readonly at: number[];
  readonly series: Readonly<Record<string, number[]>>;
  readonly boundsSeconds: number[];
  readonly latency: number[][];
}

describe('GET /v1/timeline', () => {
  let admin: AdminFixture;
  beforeAll(async () => {
    admin = await startAdmin();
  });
  afterAll(async () => {
    await admin.stop();
    removeDirectories();
  });

  it('answers columns of one length, also of what is new alone', async () => {
    const phone = await admin.client();
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>'] }));
    const read = async (query: string): Promise<Columns> =>
      (await (await fetch(`${admin.url}/v1/timeline?${query}`)).json()) as Columns;
    await poll('a second with a binding', 5000, async () => (await read('range=5m')).series.bindings.at(-1) === 1);
    const all = await read('range=5m');
    expect(all.stepSeconds).toBe(1);
    for (const column of [...Object.values(all.series), all.latency]) expect(column).toHaveLength(all.at.length);
    for (const counts of all.latency) expect(counts).toHaveLength(all.boundsSeconds.length + 1);
    const next = await read(`range=5m&since=${all.at.at(-1)}`);
    expect(next.at.filter((at) => at <= (all.at.at(-1) ?? 0))).toEqual([]);
    expect((await fetch(`${admin.url}/v1/timeline?range=1w`)).status).toBe(400);
  });
});
