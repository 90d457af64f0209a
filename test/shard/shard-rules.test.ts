// Rules of a user beside those of its domain.

import { expect, it } from 'vitest';
import { Outbox } from '../../src/core/uas/outbox.ts';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { ShardRules } from '../../src/shard/shard-rules.ts';
import { VIRTUAL_SECRET } from '../support/virtual-shard.ts';

it('a user with rules of its own takes from the bindings that its domain may have, as any other', () => {
  const room = Int32Array.of(5);
  const policy = { ...DEFAULT_POLICY, byDomain: { 'example.com': { room } } };
  const rules = new ShardRules(policy, VIRTUAL_SECRET);
  const aor = Buffer.from('alice@example.com');
  const out = new Outbox();
  for (const userRules of ['', '{"expiresMaxS":60}']) {
    out.userRules = userRules;
    const left = room[0];
    const own = rules.of(out, aor, aor.length);
    expect(out.room).toBe(left);
    out.bindingsBefore = 1;
    out.bindingsAfter = 2;
    own.takeRoom(out);
    expect(room[0]).toBe(left - 1);
  }
});
