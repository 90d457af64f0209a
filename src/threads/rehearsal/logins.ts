// Users for a rehearsal in a store of their own, and what its shard needs to have them log in.

import type { ShardAuth } from '../../shard/admission.ts';
import { ha1sOf } from '../../users/ha1.ts';
import { UserStore } from '../../users/user-store.ts';
import { UserTable } from '../../users/user-table.ts';
import type { AuthTask } from '../shard-messages.ts';
import { DOMAIN, HASHES, PASSWORD, userName } from './phones.ts';

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
  const users = Array.from({ length: count }, (_, index) => {
    const name = userName(index);
    return { name, realm: DOMAIN, ha1s: ha1sOf(name, DOMAIN, PASSWORD) };
  });
  store.put(users, 'any');
  void store.close();
  const realms = [DOMAIN];
  return {
    policy,
    realms,
    users: new UserTable({ data: directory, realms }),
    nonceStart,
    generation,
    life,
    wait: () => false,
  };
}
