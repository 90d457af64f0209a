// The key of the account that credentials name, for any AOR of the request. It is the hash of `user@realm`: for a user's own AOR,
// the hash of the AOR.
// @hot

import { AT_SIGN, LOWER } from '../../sip/scanner.ts';
import { SipHash } from '../../sip/siphash.ts';

export class Account {
  /** Four words. */
  readonly key = new Uint32Array(4);
  private readonly hash: SipHash;

  /** @param hashKey 16 secret bytes: those of AORs */
  constructor(hashKey: Uint8Array) {
    this.hash = new SipHash(hashKey);
  }

  /**
   * @param name as in the credentials, unescaped; its own "@realm", which some phones add, is ignored
   * @param realm in lower case
   * @param aor canonical, with its key; aorLength -1: none
   */
  compute(
    name: Uint8Array,
    nameLength: number,
    realm: Uint8Array,
    realmLength: number,
    aor: Uint8Array,
    aorLength: number,
    aorKey: Uint32Array,
  ): void {
    const userLength = nameLength - realmLength - 1;
    const user = userLength > 0 && endsWithRealm(name, userLength, realm, realmLength) ? userLength : nameLength;
    let key = aorKey;
    if (!isAor(name, user, realm, realmLength, aor, aorLength)) {
      const { hash } = this;
      hash.begin();
      hash.span(name, 0, user);
      hash.byte(AT_SIGN);
      hash.span(realm, 0, realmLength);
      hash.end();
      key = hash.out;
    }
    for (let i = 0; i < 4; i++) this.key[i] = key[i];
  }
}

function endsWithRealm(name: Uint8Array, userLength: number, realm: Uint8Array, realmLength: number): boolean {
  if (name[userLength] !== AT_SIGN) return false;
  for (let i = 0; i < realmLength; i++) if (LOWER[name[userLength + 1 + i]] !== realm[i]) return false;
  return true;
}

function isAor(
  user: Uint8Array,
  userLength: number,
  realm: Uint8Array,
  realmLength: number,
  aor: Uint8Array,
  aorLength: number,
): boolean {
  if (aorLength !== userLength + 1 + realmLength || aor[userLength] !== AT_SIGN) return false;
  for (let i = 0; i < userLength; i++) if (user[i] !== aor[i]) return false;
  for (let i = 0; i < realmLength; i++) if (realm[i] !== aor[userLength + 1 + i]) return false;
  return true;
}
