// Users from the surrounding program: a function of its own, asked like a web service.

import { readFoundUser, type UserCredentials } from './found-user.ts';
import type { ProviderLimits } from './provider-options.ts';
import type { UserSource } from './user-provider.ts';

/**
 * Credentials of a user whom the user store does not have; null or undefined where there is no such user. A rejection means that the
 * answer is not known now.
 * @param user as the phone spells it, without the realm that some phones add
 * @param realm a served domain, in lower case
 */
export type FindCredentials = (
  user: string,
  realm: string,
) => UserCredentials | null | undefined | Promise<UserCredentials | null | undefined>;

export interface ProgramCredentials {
  readonly find: FindCredentials;
  readonly limits: ProviderLimits;
}

export function programSource({ find }: ProgramCredentials): UserSource {
  return {
    name: 'the function "credentials"',
    async find(user) {
      const answer = await find(user.name, user.realm);
      return answer === null || answer === undefined ? null : readFoundUser(answer, user);
    },
  };
}
