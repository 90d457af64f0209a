// What a change of a user leaves as it was, and what a removal leaves to do.

import { afterAll, beforeEach, expect, it } from 'vitest';
import { ha1sOf } from '../../src/users/ha1.ts';
import { UserStore } from '../../src/users/user-store.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

const ALICE = { name: 'alice', realm: 'example.com' };
const withPassword = (password: string) => ({ ...ALICE, ha1s: ha1sOf('alice', 'example.com', password) });

let store: UserStore;
beforeEach(() => {
  store = UserStore.open(temporaryDirectory());
  return () => store.close();
});
afterAll(removeDirectories);

it('a new password keeps the addresses and the rules of a user, and new ones replace them', () => {
  store.put([{ ...withPassword('1'), aors: ['sales@example.com'], rules: '{"maxBindings":1}' }], 'add');
  store.put([withPassword('2')], 'replace');
  const { ha1s } = withPassword('2');
  expect(store.get(ALICE)).toMatchObject({ ha1s, aors: ['sales@example.com'], rules: '{"maxBindings":1}' });
  store.put([{ ...withPassword('2'), aors: [], rules: '' }], 'replace');
  expect(store.get(ALICE)).toMatchObject({ aors: [], rules: '' });
});

it('a removed user is there for whoever removes its bindings, until they are gone or it comes back', async () => {
  store.put([withPassword('1')], 'add');
  expect([store.remove(ALICE), store.get(ALICE), store.count]).toEqual([true, undefined, 0]);
  expect(store.removed()).toEqual([ALICE]);
  store.put([withPassword('2')], 'add');
  expect(store.removed()).toEqual([]);
  expect([store.remove(ALICE), store.remove(ALICE)]).toEqual([true, false]);
  await store.settleRemoved([ALICE]);
  expect(store.removed()).toEqual([]);
});
