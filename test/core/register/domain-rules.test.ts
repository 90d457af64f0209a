// Rules of domains and users at a shard: how many bindings a domain may have, and where registrations may come from.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import type { DomainPolicy } from '../../../src/core/uas/policy.ts';
import type { ShardAuth } from '../../../src/shard/admission.ts';
import { TRANSPORT_TCP, TRANSPORT_UDP } from '../../../src/sip/sources.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization } from '../../support/digest-client.ts';
import { answered, statusOf, uris } from '../../support/requests.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const [A, B, C] = ['<sip:a@192.0.2.9>', '<sip:b@192.0.2.9>', '<sip:c@192.0.2.9>'];

/** A shard for two domains, of which tenant.example has rules of its own. */
function tenant(own: DomainPolicy): VirtualShard {
  return new VirtualShard({
    policy: { domains: ['tenant.example', 'example.com'], byDomain: { 'tenant.example': own } },
  });
}

const of = (user: string, options: RegisterOptions): RegisterOptions => ({
  requestUri: 'sip:tenant.example',
  to: `<sip:${user}@tenant.example>`,
  callId: user,
  ...options,
});

/** Alice logs in, and has these rules of her own. */
function loginWith(rules: object): ShardAuth {
  class Users extends TestUsers {
    override rules(): string {
      return JSON.stringify(rules);
    }
  }
  return {
    policy: DEFAULT_AUTH_POLICY,
    realms: ['example.com'],
    users: new Users(['example.com'], { alice: 'secret' }, {}),
    nonceStart: 0,
    life: 1,
    wait: () => false,
  };
}

/** Sends her REGISTERs with the nonce of one challenge. */
function signedBy(shard: VirtualShard): (nc: number, contacts: string[]) => Answer {
  const challenge = answered(shard, register({}));
  const nonce = /nonce="([^"]*)"/.exec(challenge.header('WWW-Authenticate')[0])?.[1] ?? '';
  return (nc, contacts) => {
    const extra = [`Authorization: ${authorization({ qop: 'auth', nonce, nc })}`];
    return answered(shard, register({ cseq: nc + 1, contacts, extra }));
  };
}

describe('the bindings of a domain', () => {
  it('R5393-sec-01 are no more than it may have; refreshes, exchanges and other domains are not concerned', () => {
    const capacity = new Int32Array(new SharedArrayBuffer(4)).fill(2);
    const shard = tenant({ capacity });
    expect(statusOf(shard, of('alice', { contacts: [A] }))).toBe(200);
    expect(statusOf(shard, of('bob', { contacts: [A, B] }))).toBe(403);
    expect(statusOf(shard, of('bob', { cseq: 2, contacts: [A] }))).toBe(200);
    expect(capacity[0]).toBe(0);
    expect(statusOf(shard, of('carol', { contacts: [A] }))).toBe(403);
    expect(uris(shard, '<sip:carol@tenant.example>', 'sip:tenant.example')).toEqual([]);
    expect(statusOf(shard, of('alice', { cseq: 2, contacts: [A] }))).toBe(200);
    expect(statusOf(shard, of('alice', { cseq: 3, contacts: [B, `${A};expires=0`] }))).toBe(200);
    expect(statusOf(shard, { contacts: [A, B, C] })).toBe(200);
    expect(capacity[0]).toBe(0);
    expect(statusOf(shard, of('alice', { cseq: 4, contacts: ['*'], expires: 0 }))).toBe(200);
    expect(capacity[0]).toBe(1);
    expect(statusOf(shard, of('carol', { cseq: 2, contacts: [A] }))).toBe(200);
  });

  it('are counted when some were removed for others', () => {
    const capacity = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    const shard = tenant({ capacity, contactsPerAorMax: 1 });
    expect(statusOf(shard, of('alice', { contacts: [A] }))).toBe(200);
    expect(statusOf(shard, of('alice', { cseq: 2, contacts: [B] }))).toBe(200);
    expect([capacity[0], uris(shard, '<sip:alice@tenant.example>', 'sip:tenant.example')]).toEqual([
      0,
      ['sip:b@192.0.2.9'],
    ]);
  });

  it('are the domain’s, too, where a user has rules of its own', () => {
    const capacity = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    const shard = new VirtualShard({
      policy: { byDomain: { 'example.com': { capacity } } },
      gate: { policy: { ...DEFAULT_ABUSE_POLICY, enabled: false }, trustedProxies: ['198.51.100.0/24'] },
      auth: loginWith({ maxExpiresS: 120 }),
    });
    const signed = signedBy(shard);
    expect(signed(1, [A]).contacts[0].expires).toBe(120);
    expect(capacity[0]).toBe(0);
    expect(signed(2, [B]).status).toBe(403);
    // And nobody else's: the next request is a trusted proxy's, for whom no user logs in.
    capacity[0] = 1;
    const to = '<sip:bob@example.com>';
    const vouched = register({ to, from: to, callId: 'bob', contacts: [B], extra: [`P-Asserted-Identity: ${to}`] });
    expect(answered(shard, vouched, { ip: '198.51.100.1' }).contacts[0].expires).toBe(3600);
  });
});

describe('headers of the 200', () => {
  it('are the user’s own in place of the domain’s, in refreshes, too', () => {
    const shard = new VirtualShard({
      policy: { serviceRoutes: { 'example.com': ['<sip:domain.example;lr>'] } },
      auth: loginWith({ serviceRoutes: { '*': ['<sip:own.example;lr>'] } }),
    });
    const signed = signedBy(shard);
    for (const nc of [1, 2, 3]) {
      const answer = signed(nc, [A]);
      expect([answer.status, answer.header('Service-Route')]).toEqual([200, ['<sip:own.example;lr>']]);
    }
  });
});

describe('where registrations come from', () => {
  it('is by the transports and networks that the domain allows; others are as the server has it', () => {
    const shard = tenant({ transports: ['tcp'], networks: ['192.0.2.0/24'] });
    const from = (user: string, ip: string, transport: number) =>
      answered(shard, register(of(user, { contacts: [A] })), { ip, transport }).status;
    expect(from('alice', '192.0.2.9', TRANSPORT_TCP)).toBe(200);
    expect(from('bob', '192.0.2.9', TRANSPORT_UDP)).toBe(403);
    expect(from('carol', '198.51.100.9', TRANSPORT_TCP)).toBe(403);
    expect(uris(shard, '<sip:alice@example.com>')).toEqual([]);
    expect(answered(shard, register({ contacts: [A] }), { ip: '198.51.100.9' }).status).toBe(200);
  });

  it('is by the rules of every domain that is not listed, where there are such', () => {
    const byDomain = { '*': { transports: ['tcp'] as const }, 'tenant.example': { transports: [] } };
    const shard = new VirtualShard({ policy: { domains: ['tenant.example', '*'], byDomain } });
    expect(statusOf(shard, of('alice', { contacts: [A] }))).toBe(200);
    expect(statusOf(shard, { contacts: [A] })).toBe(403);
  });

  it('holds for refreshes, too', () => {
    const shard = tenant({ networks: ['192.0.2.0/24'] });
    const from = (cseq: number, ip: string) =>
      answered(shard, register(of('alice', { cseq, contacts: [A] })), { ip }).status;
    expect([from(1, '192.0.2.9'), from(2, '198.51.100.9'), from(3, '192.0.2.9')]).toEqual([200, 403, 200]);
  });
});
