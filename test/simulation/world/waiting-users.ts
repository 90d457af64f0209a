// Users of whom some have to be fetched from elsewhere, and whose requests wait until then; some have rules of their own.

import { USER_PENDING } from '../../../src/core/auth/credential-source.ts';
import { TestUsers } from '../../support/authentication.ts';

export class WaitingUsers extends TestUsers {
  /** Names of those nobody has told of yet. */
  readonly away = new Set<string>();
  /** Whether some have rules of their own. */
  haveOwnRules = false;
  private maxS = 0;

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
    this.maxS = ownMaxS(name);
    return super.find(bytes, at, end, isUserhash, realm, algorithm);
  }

  override rules(): string {
    return this.haveOwnRules && this.maxS > 0 ? `{"maxExpiresS":${this.maxS}}` : '';
  }
}

/** What the user is granted at most, seconds; 0: he has no rules of his own. */
export function ownMaxS(user: string): number {
  return user.endsWith('3') ? 300 : user.endsWith('5') ? 200 : 0;
}
