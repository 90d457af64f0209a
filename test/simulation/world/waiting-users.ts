// Users of whom some have to be fetched from elsewhere, and whose requests wait until then; some have rules of their own.

import { USER_PENDING } from '../../../src/core/auth/credential-source.ts';
import { TestUsers } from '../../support/authentication.ts';

/** What some users are granted at most, seconds. */
export const OWN_MAX_S = 300;

export class WaitingUsers extends TestUsers {
  /** Names of those nobody has told of yet. */
  readonly away = new Set<string>();
  /** Whether some have rules of their own. */
  haveOwnRules = false;
  private isSpecial = false;

  override find(
    bytes: Uint8Array,
    at: number,
    end: number,
    isUserhash: boolean,
    realm: number,
    algorithm: number,
  ): number {
    const name = Buffer.from(bytes.subarray(at, end)).toString('latin1');
    if (this.away.has(name)) return USER_PENDING;
    this.isSpecial = hasOwnRules(name);
    return super.find(bytes, at, end, isUserhash, realm, algorithm);
  }

  override rules(): string {
    return this.haveOwnRules && this.isSpecial ? `{"maxExpiresS":${OWN_MAX_S}}` : '';
  }
}

export function hasOwnRules(user: string): boolean {
  return user.endsWith('3');
}
