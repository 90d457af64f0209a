// Rules of a user beside those of its domain.

import { expect, it } from 'vitest';
import { ShardExchange } from '../../src/core/uas/exchange.ts';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { ShardRules } from '../../src/shard/shard-rules.ts';
import { VIRTUAL_SECRET } from '../support/virtual-shard.ts';

it('a user with rules of its own takes from the bindings that its domain may have, as any other', () => {
  const capacity = Int32Array.of(5);
  const policy = { ...DEFAULT_POLICY, byDomain: { 'example.com': { capacity } } };
  const rules = new ShardRules(policy, VIRTUAL_SECRET);
  const aor = Buffer.from('alice@example.com');
  const exchange = new ShardExchange();
  for (const userRules of ['', '{"expiresMaxS":60}']) {
    exchange.work.userRules = userRules;
    const left = capacity[0];
    const own = rules.of(exchange, aor, aor.length);
    expect(exchange.request.capacity).toBe(left);
    exchange.result.bindingsBefore = 1;
    exchange.result.bindingsAfter = 2;
    own.useCapacity(exchange.result);
    expect(capacity[0]).toBe(left - 1);
  }
});
