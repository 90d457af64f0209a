// Proxies that may look up are not limited by what their lookups come to: they answer no challenge, since they get none.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TestUsers } from '../../support/authentication.ts';
import { request } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const POLICY = { domains: ['example.com'], lookup: { sip: 'trusted', from: ['192.0.2.0/24'] } } as const;

function shard(): VirtualShard {
  const store = new MemoryStore();
  new VirtualShard({ policy: POLICY, store }).send(register({ contacts: ['<sip:alice@192.0.2.77>'] }));
  return new VirtualShard({
    policy: POLICY,
    store,
    auth: {
      ...{ policy: DEFAULT_AUTH_POLICY, realms: ['example.com'], nonceStart: 0, life: 1, wait: () => false },
      users: new TestUsers(['example.com'], { alice: 'secret', bob: 'secret' }, {}),
    },
    gate: { policy: { ...DEFAULT_ABUSE_POLICY, challengesMax: 50, challengesPerS: 1 }, trustedProxies: [] },
  });
}

describe('lookups', () => {
  it.each([
    ['users that are there', 'alice', 302],
    ['users that are not', 'nobody', 404],
    ['users that are not here', 'bob', 480],
  ])('from addresses in lookup.from are answered however many they are: of %s', (_what, user, status) => {
    const s = shard();
    const ask = (ip: string) => s.send(request({ method: 'INVITE', uri: `sip:${user}@example.com` }), { ip })?.status;
    for (let i = 0; i < 300; i++) expect(ask('192.0.2.10')).toBe(status);
    expect(s.counter('dropped_source')).toBe(0);
    for (let i = 0; i < 200; i++) ask('198.51.100.7');
    expect(s.counter('dropped_source')).toBeGreaterThan(0);
  });

  it('excuse nothing else that comes from there', () => {
    const s = shard();
    for (let i = 0; i < 200; i++) s.send(register({ callId: `c${i}` }), { ip: '192.0.2.10' });
    expect(s.counter('dropped_source')).toBeGreaterThan(0);
  });
});
