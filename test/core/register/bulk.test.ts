// Registrations for many numbers at once (RFC 6140): what a PBX may register, and where its numbers lead.

import { describe, expect, it } from 'vitest';
import { createAorReader } from '../../../src/core/lookup/aor-key.ts';
import type { Policy } from '../../../src/core/uas/policy.ts';
import type { MemoryStore } from '../../../src/location/memory-store.ts';
import { LocationLookup } from '../../../src/server/lookups/location-lookup.ts';
import { StaticTable } from '../../../src/shard/statics/static-table.ts';
import { answered, request, uris } from '../../support/requests.ts';
import {
  type Answer,
  type RegisterOptions,
  register,
  VIRTUAL_SECRET,
  VirtualShard,
} from '../../support/virtual-shard.ts';

const UUID = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const PBX = '<sip:pbx@example.com>';
const BULK = '<sip:198.51.100.3:5060;bnc>';
const POLICY: Partial<Policy> = {
  lookup: { sip: 'trusted', from: ['198.51.100.0/24'] },
  bulkNumbers: {
    'pbx@example.com': ['+12145550100-+12145550199', '+4930123'],
    'other@example.com': ['+12145550200'],
  },
};
const PROXY = { ip: '198.51.100.5' };

function shardWith(policy: Partial<Policy> = {}): VirtualShard {
  return new VirtualShard({ policy: { ...POLICY, ...policy } });
}

let cseq = 0;

function send(shard: VirtualShard, options: RegisterOptions = {}): Answer {
  const asked = { to: PBX, from: `${PBX};tag=p`, callId: 'pbx', cseq: ++cseq, contacts: [BULK], ...options };
  return answered(shard, register({ extra: ['Require: gin', 'Proxy-Require: gin', 'Supported: path'], ...asked }));
}

function ask(shard: VirtualShard, uri: string): Answer {
  return answered(shard, request({ method: 'INVITE', uri, to: `<${uri}>` }), PROXY);
}

const found = (answer: Answer): string[] => answer.contacts.map(({ uri }) => uri);

/** As HTTP and programs look up. */
function lookups(shard: VirtualShard, statics: Record<string, { uri: string }[]> = {}): LocationLookup {
  const read = createAorReader(VIRTUAL_SECRET);
  const table = new StaticTable({ data: null, aor: read, failed: () => {} });
  table.set({ bindings: statics, aliases: { 'desk@example.com': '+12145550102@example.com' } });
  const policy = { ...POLICY, domains: ['example.com'], gruu: 'on', gruuGeneration: 0 } as const;
  return new LocationLookup({
    readers: [(shard.store as MemoryStore).reader()],
    secret: VIRTUAL_SECRET,
    policy,
    flows: null,
    statics: table,
  });
}

function contactsOf(shard: VirtualShard, aor: string, statics = {}): (string | undefined)[][] {
  const result = lookups(shard, statics).lookup(aor, shard.now);
  if (typeof result === 'string') throw new Error(result);
  return result.contacts.map(({ uri, gruu }) => [uri, gruu]);
}

describe('a PBX that registers its numbers', () => {
  it('R6140-5.2-01 is the contact of each: its URI with the number as user, without bnc', () => {
    const shard = shardWith();
    const answer = send(shard, { contacts: ['<sip:198.51.100.3:5060;x=1;bnc;transport=tcp>;+sip.pbx'] });
    expect(answer.status).toBe(200);
    expect(answer.contacts.map(({ uri }) => uri)).toEqual(['sip:198.51.100.3:5060;x=1;bnc;transport=tcp']);
    expect([answer.header('Require'), answer.header('Supported').join()]).toEqual([
      ['gin'],
      expect.stringContaining('gin'),
    ]);
    for (const number of ['+12145550100', '+12145550199', '+4930123']) {
      const uri = `sip:${number}@198.51.100.3:5060;x=1;transport=tcp`;
      const redirect = ask(shard, `sip:${number}@example.com;user=phone`);
      expect([redirect.status, ...found(redirect)]).toEqual([302, uri]);
      expect(redirect.contacts[0].row).toContain(';+sip.pbx');
      expect(contactsOf(shard, `${number}@example.com`)).toEqual([[uri, undefined]]);
    }
    expect(storedRecords(shard)).toBe(1);
  });

  it('R6140-5.2-01 may register a sips URI; one of another scheme is of no number', () => {
    const shard = shardWith();
    expect(send(shard, { contacts: ['<tel:+4930123;bnc>'] }).status).toBe(400);
    const secure = send(shard, { requestUri: 'sips:example.com', contacts: ['<sips:198.51.100.3;bnc>'] });
    expect([secure.status, ...found(secure)]).toEqual([200, 'sips:198.51.100.3;bnc']);
    expect(contactsOf(shard, '+4930123@example.com')).toEqual([['sips:+4930123@198.51.100.3', undefined]]);
  });

  it.each(['+12145550099', '+12145550200', '12145550100', '+1214555010', '+2145550100', '+12145550100a'])(
    'R6140-5.2-01 is not the contact of %s',
    (user) => {
      const shard = shardWith();
      send(shard);
      expect(ask(shard, `sip:${user}@example.com`).status).toBe(user === '+12145550200' ? 480 : 404);
      expect(contactsOf(shard, `${user}@example.com`)).toEqual([]);
    },
  );

  it('R6140-5.2-01 has no contact of its own: requests for it lead nowhere', () => {
    const shard = shardWith();
    send(shard);
    expect(uris(shard, PBX)).toEqual(['sip:198.51.100.3:5060;bnc']);
    expect(ask(shard, 'sip:pbx@example.com').status).toBe(404);
    expect(contactsOf(shard, 'pbx@example.com')).toEqual([]);
    send(shard, { contacts: ['<sip:pbx@198.51.100.4>', BULK], callId: 'own' });
    expect(contactsOf(shard, 'pbx@example.com')).toEqual([['sip:pbx@198.51.100.4', undefined]]);
    expect(contactsOf(shard, '+12145550100@example.com')).toEqual([['sip:+12145550100@198.51.100.3:5060', undefined]]);
  });

  it('R6140-5.2-01 renews, ends and removes all of its numbers at once', () => {
    const shard = shardWith();
    send(shard, { contacts: [`${BULK};expires=600`] });
    shard.advance(500);
    send(shard, { contacts: [`${BULK};expires=600`] });
    shard.advance(500);
    expect(ask(shard, 'sip:+12145550150@example.com').contacts[0].expires).toBe(100);
    shard.advance(101);
    expect(ask(shard, 'sip:+12145550150@example.com').status).toBe(480);
    send(shard);
    expect(ask(shard, 'sip:+12145550150@example.com').status).toBe(302);
    send(shard, { contacts: [`${BULK};expires=0`] });
    expect(ask(shard, 'sip:+12145550150@example.com').status).toBe(480);
    expect(contactsOf(shard, '+12145550150@example.com')).toEqual([]);
  });

  it('R6140-5.2-02 is refused with a user, a user parameter or a value of bnc, and nothing changes', () => {
    const shard = shardWith();
    for (const uri of [
      'sip:pbx@198.51.100.3;bnc',
      'sip:198.51.100.3;bnc;user=phone',
      'sip:198.51.100.3;BNC=1',
      'sip:198.51.100.3;user=ip;Bnc',
    ])
      expect([uri, send(shard, { contacts: [BULK, `<${uri}>`] }).status]).toEqual([uri, 400]);
    expect(uris(shard, PBX)).toEqual([]);
  });

  it('R6140-5.2-02 needs bnc with gin and gin with bnc; a query and "*" need neither', () => {
    const shard = shardWith();
    const without = send(shard, { extra: ['Supported: gin'] });
    expect([without.status, without.header('Require')]).toEqual([421, ['gin']]);
    expect(send(shard, { contacts: ['<sip:pbx@198.51.100.3>'] }).status).toBe(400);
    expect(send(shard).status).toBe(200);
    expect(send(shard, { contacts: [] }).contacts).toHaveLength(1);
    expect(send(shard, { contacts: ['*'], expires: 0 }).contacts).toHaveLength(0);
  });

  it('R6140-5.2-01 has numbers, or is refused', () => {
    const shard = shardWith();
    const nobody = { to: '<sip:alice@example.com>', from: '<sip:alice@example.com>;tag=a' };
    expect(send(shard, nobody).status).toBe(403);
    expect(send(shard, { ...nobody, contacts: [`${BULK};expires=0`] }).status).toBe(200);
  });

  it('R6140-5.2-03 keeps a number that is de-registered alone; no phone registers it beside the PBX', () => {
    const shard = shardWith();
    send(shard);
    const number = { to: '<sip:+12145550102@example.com>', from: '<sip:+12145550102@example.com>;tag=n', extra: [] };
    const away = send(shard, { ...number, callId: 'n', contacts: ['<sip:+12145550102@198.51.100.3:5060>;expires=0'] });
    expect([away.status, away.contacts]).toEqual([200, []]);
    expect(send(shard, { ...number, callId: 'n', contacts: ['*'], expires: 0 }).status).toBe(200);
    expect(send(shard, { ...number, callId: 'n', contacts: ['<sip:a@192.0.2.1>'] }).status).toBe(403);
    expect(found(ask(shard, 'sip:+12145550102@example.com'))).toEqual(['sip:+12145550102@198.51.100.3:5060']);
  });

  it('R6140-5.2-03 leaves a number alone that was registered before it was the PBX’s', () => {
    const shard = shardWith({ bulkNumbers: {} });
    const number = { to: '<sip:+12145550102@example.com>', from: '<sip:+12145550102@example.com>;tag=n', extra: [] };
    send(shard, { ...number, callId: 'n', contacts: ['<sip:a@192.0.2.1>'] });
    shard.configure(POLICY);
    send(shard);
    send(shard, { contacts: [`${BULK};expires=0`] });
    expect(uris(shard, '<sip:+12145550102@example.com>')).toEqual(['sip:a@192.0.2.1']);
  });

  it('R6140-5.2-04 is told that gin is not served without numbers, and without Path', () => {
    for (const policy of [{ bulkNumbers: {} }, { path: 'off' as const }]) {
      const answer = send(shardWith(policy));
      expect([answer.status, answer.header('Unsupported')]).toEqual([420, ['gin']]);
    }
    const plain = shardWith({ bulkNumbers: {} });
    expect(send(plain, { extra: [] }).status).toBe(200); // an unknown parameter of the URI
    const options = answered(shardWith(), request({ method: 'OPTIONS' }));
    expect(options.header('Supported').join()).toContain('gin');
  });

  it('R6140-5.2-04 shares its Path with all of its numbers', () => {
    const shard = shardWith();
    const extra = ['Require: gin', 'Supported: path', 'Path: <sip:edge.example.com;lr>'];
    expect(send(shard, { extra }).header('Path')).toEqual(['<sip:edge.example.com;lr>']);
    expect(found(ask(shard, 'sip:+12145550102@example.com'))[0]).toBe(
      'sip:+12145550102@198.51.100.3:5060?Route=%3Csip:edge.example.com%3Blr%3E',
    );
  });

  it('answers a refresh like the registration, from the record as from memory', () => {
    const shard = shardWith();
    const first = send(shard, { contacts: [`${BULK};+sip.instance="<${UUID}>"`], extra: GRUU });
    const again = send(shard, { contacts: [`${BULK};+sip.instance="<${UUID}>"`], extra: GRUU });
    expect(again.contacts).toEqual(first.contacts);
    expect(again.header('Require')).toEqual(['gin']);
  });
});

const GRUU = ['Require: gin', 'Supported: path, gruu'];

describe('GRUUs of a PBX', () => {
  function registered(): VirtualShard {
    const shard = shardWith();
    const answer = send(shard, { contacts: [`${BULK};+sip.instance="<${UUID}>"`], extra: GRUU });
    expect(/;pub-gruu="([^"]*)"/.exec(answer.contacts[0].row)?.[1]).toBe(`sip:example.com;bnc;gr=${UUID}`);
    expect(answer.text).not.toContain('temp-gruu');
    return shard;
  }

  it('R6140-7.1.1-01 are its own alone: a phone of the domain has those of its AOR', () => {
    const to = '<sip:alice@example.com>';
    const contacts = [`<sip:alice@192.0.2.1>;+sip.instance="<${UUID}>"`];
    const phone = { to, from: `${to};tag=a`, callId: 'alice', contacts, extra: ['Supported: gruu'] };
    const { text } = send(registered(), phone);
    expect(/;pub-gruu="([^"]*)"/.exec(text)?.[1]).toBe(`sip:alice@example.com;gr=${UUID}`);
    expect(text).toContain(';temp-gruu="');
  });

  it('R6140-7.1.1-01 copy sg of the GRUU of a phone behind it to the target', () => {
    const shard = registered();
    const sg = 'sg=00:05:03:5e:70:a6';
    const gruu = `sip:+12145550102@example.com;gr=${UUID};${sg}`;
    const contact = `sip:+12145550102@198.51.100.3:5060;${sg}`;
    const own = `sip:+12145550102@example.com;gr=${UUID}`;
    expect(found(ask(shard, gruu))).toEqual([contact]);
    expect(contactsOf(shard, gruu)).toEqual([[contact, own]]);
    expect(contactsOf(shard, own)).toEqual([['sip:+12145550102@198.51.100.3:5060', own]]);
    expect(found(ask(shard, 'sip:+12145550103@example.com;sg=1'))).toEqual(['sip:+12145550103@198.51.100.3:5060']);
  });

  it('R6140-7.1.1-01 lead nowhere with another instance', () => {
    const shard = registered();
    const other = UUID.replace('f81d', '0000');
    expect(ask(shard, `sip:+12145550102@example.com;gr=${other};sg=1`).status).toBe(480);
    expect(ask(shard, `sip:pbx@example.com;gr=${UUID}`).status).toBe(480);
  });
});

describe('a number that an operator has set', () => {
  it('has its static bindings beside the PBX, and an alias leads to it', () => {
    const shard = shardWith();
    const statics = { '+12145550102@example.com': [{ uri: 'sip:desk@192.0.2.7' }] };
    expect(contactsOf(shard, '+12145550102@example.com', statics)).toEqual([['sip:desk@192.0.2.7', undefined]]);
    send(shard, { contacts: [`${BULK};q=0.5`] });
    for (const aor of ['+12145550102@example.com', 'desk@example.com'])
      expect(contactsOf(shard, aor, statics).map(([uri]) => uri)).toEqual([
        'sip:desk@192.0.2.7',
        'sip:+12145550102@198.51.100.3:5060',
      ]);
    expect(lookups(shard).has('+12145550102@example.com', shard.now)).toBe(true);
    expect(lookups(shard).has('+12145550200@example.com', shard.now)).toBe(false);
  });
});

function storedRecords(shard: VirtualShard): number {
  let count = 0;
  shard.store.scan(() => void count++);
  return count;
}
