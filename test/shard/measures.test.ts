// What a shard measures: answers by outcome and transport, refusals by reason, lag of expiry; and names that stay.

import { describe, expect, it } from 'vitest';
import { REASON_NAMES } from '../../src/core/uas/reasons.ts';
import { HISTOGRAM_ROW, HISTOGRAM_SUM, LAG_ROW, latencyRow, OUTCOME_NAMES } from '../../src/shard/observe/measures.ts';
import { TRANSPORT_NAMES } from '../../src/sip/sources.ts';
import { request } from '../support/requests.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

/** Answers counted, by outcome. */
function answered(shard: VirtualShard): Record<string, number> {
  const { values } = shard.measures;
  const row = (outcome: number) => latencyRow(outcome, TRANSPORT_NAMES.indexOf('udp')) * HISTOGRAM_ROW;
  return Object.fromEntries(
    OUTCOME_NAMES.map((name, outcome) => [
      name,
      values.subarray(row(outcome), row(outcome) + HISTOGRAM_SUM).reduce((sum, count) => sum + count, 0),
    ]),
  );
}

describe('a shard measures', () => {
  it('answers by what they came to', () => {
    const shard = new VirtualShard();
    const fine = register({ contacts: ['<sip:alice@192.0.2.4>'] });
    shard.batch([fine]);
    shard.batch([
      fine,
      register({ callId: 'call-2', contacts: ['<sip:alice@192.0.2.4>;expires=1'] }),
      request({ method: 'OPTIONS' }),
    ]);
    expect(answered(shard)).toEqual({ accepted: 1, replayed: 1, rejected: 1, other: 1, challenged: 0, failed: 0 });
    expect(shard.counter('refused_interval_too_brief')).toBe(1);
  });

  it('how late bindings are taken out', () => {
    const shard = new VirtualShard();
    shard.batch([register({ contacts: ['<sip:alice@192.0.2.4>;expires=60'] })]);
    shard.now += 63_000;
    shard.batch([]);
    expect(shard.measures.values[LAG_ROW * HISTOGRAM_ROW + HISTOGRAM_SUM]).toBe(3);
  });
});

describe('reasons', () => {
  it('have names of their own', () => {
    const names = REASON_NAMES.filter((name) => name !== 'unspecified');
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z_]+$/);
  });
});
