// Users for a rehearsal in a store of their own, and the parts with which its shard authenticates them.

import type { ShardAuth } from '../../shard/admission.ts';
import { ha1sOf } from '../../users/ha1.ts';
import { UserStore } from '../../users/user-store.ts';
import { UserTable } from '../../users/user-table.ts';
import type { AuthTask } from '../shard-messages.ts';
import { DOMAIN, HASHES, PASSWORD, userName } from './phones.ts';

/** Users put at once: few, so that they are garbage soon. */
const USERS_PUT = 128;

/**
 * @param directory where the store is made
 * @param count of users
 * @returns undefined where no phone of the rehearsal knows the algorithm that is offered first
 */
export function openLogins(
  directory: string,
  { policy, nonceStart, generation, life }: AuthTask,
  count: number,
): (ShardAuth & { readonly users: UserTable }) | undefined {
  if (HASHES[policy.algorithms[0]] === undefined) return undefined;
  const store = UserStore.open(directory);
  for (let first = 0; first < count; first += USERS_PUT) {
    const users = Array.from({ length: USERS_PUT }, (_, n) => {
      const name = userName(first + n);
      return { name, realm: DOMAIN, ha1s: ha1sOf(name, DOMAIN, PASSWORD) };
    });
    store.put(users, 'any');
  }
  void store.close();
  const realms = [DOMAIN];
  return {
    policy: { ...policy, usedNoncesMax: 2 * count },
    realms,
    users: new UserTable({ data: directory, realms }),
    nonceStart,
    generation,
    life,
    wait: () => false,
  };
}
