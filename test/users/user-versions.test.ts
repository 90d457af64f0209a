// Users of a cluster: whichever node's were changed, all nodes have the same in the end, in whatever order and however often they hear of it.

import { afterAll, describe, expect, it } from 'vitest';
import { ha1sOf } from '../../src/users/ha1.ts';
import { type SharedUser, UserStore } from '../../src/users/user-store.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

const REALM = 'example.com';

function user(name: string, password: string) {
  return { name, realm: REALM, ha1s: ha1sOf(name, REALM, password), aors: [] };
}

/** What a node would tell now. */
function news(store: UserStore): SharedUser[] {
  const untold = store.versions.untold(100);
  const told = untold.map(({ user: name, version }) => ({ ...name, version, user: store.get(name) }));
  store.told(untold);
  return told;
}

function content(store: UserStore): string[] {
  return [...store.all()].map(({ name, ha1s }) => `${name} ${ha1s[0]?.toString('hex')}`);
}

describe('users of a cluster', () => {
  const stores: UserStore[] = [];
  function open(node: number): UserStore {
    const store = UserStore.open(temporaryDirectory());
    stores.push(store);
    if (node > 0) store.share(node);
    return store;
  }
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    removeDirectories();
  });

  it('are not kept for anybody where there is no cluster', () => {
    const alone = open(0);
    alone.put([user('alice', 'a')], 'add');
    alone.remove({ name: 'alice', realm: REALM });
    expect([alone.versions.untold(10), alone.versions.sequence]).toEqual([[], undefined]);
  });

  it('are told once, and are the same on the other node', () => {
    const [a, b] = [open(1), open(2)];
    a.put([user('alice', 'a'), user('bob', 'b')], 'add');
    a.remove({ name: 'bob', realm: REALM });
    const told = news(a);
    expect(told.map(({ name, user: found }) => [name, found !== undefined])).toEqual([
      ['alice', true],
      ['bob', false],
    ]);
    expect(news(a)).toEqual([]);
    b.takeShared(told, 7);
    b.takeShared(told, 7);
    expect([content(b), b.count, b.versions.sequence]).toEqual([content(a), 1, 7]);
    expect(news(b)).toEqual([]); // what was heard is not told again
    expect(b.removed()).toEqual([]); // its bindings are the first node's to see to
  });

  it('have on all nodes what was changed last, in whatever order it comes', () => {
    const [a, b, c] = [open(1), open(2), open(3)];
    a.put([user('alice', '1')], 'any');
    const first = news(a);
    b.takeShared(first, 1);
    b.put([user('alice', '2')], 'any');
    const second = news(b);
    expect(second[0].version).toBeGreaterThan(first[0].version);
    c.takeShared([...second, ...first], 2);
    a.takeShared(second, 2);
    b.takeShared(first, 2);
    expect([content(a), content(c)]).toEqual([content(b), content(b)]);
    expect(content(a)[0]).toBe(`alice ${user('alice', '2').ha1s[0]?.toString('hex')}`);
  });

  it('that were there before give way to what other nodes say', () => {
    const before = open(0);
    before.put([user('alice', 'old'), user('carol', 'c')], 'add');
    const other = open(2);
    other.put([user('alice', 'new')], 'add');
    before.share(1);
    const told = news(before);
    before.takeShared(news(other), 1);
    other.takeShared(told, 1);
    expect(content(before)).toEqual(content(other));
    expect(content(other).map((line) => line.split(' ')[0])).toEqual(['alice', 'carol']);
    expect(content(other)[0]).toBe(`alice ${user('alice', 'new').ha1s[0]?.toString('hex')}`);
  });

  it('a change that comes while one is told is told, too', () => {
    const a = open(1);
    a.put([user('alice', '1')], 'any');
    const untold = a.versions.untold(10);
    a.put([user('alice', '2')], 'any');
    a.told(untold);
    expect(a.versions.untold(10).map(({ user: { name } }) => name)).toEqual(['alice']);
  });
});
