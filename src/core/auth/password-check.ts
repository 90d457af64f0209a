// The user whose password the credentials try, and the check of their proof (RFC 7616 §3.4.1).
// @hot

import { credentials } from '../../sip/credentials.ts';
import { C_ALGORITHM, C_USERHASH } from '../../sip/parser/credential-spans.ts';
import { SipHash } from '../../sip/siphash.ts';
import type { CredentialForm } from './credential-form.ts';
import { type CredentialSource, HA1_BYTES } from './credential-source.ts';
import { deriveKey } from './derived-key.ts';
import { verifyResponse } from './digest.ts';
import type { RequestRealm } from './request-realm.ts';

export class PasswordCheck {
  private readonly users: CredentialSource;
  private readonly form: CredentialForm;
  private readonly realm: RequestRealm;
  private readonly dummies: SipHash;
  private readonly dummyHa1 = new Uint8Array(HA1_BYTES);

  /** @param secret 32 bytes, of the data directory */
  constructor(users: CredentialSource, form: CredentialForm, realm: RequestRealm, secret: Uint8Array) {
    this.users = users;
    this.form = form;
    this.realm = realm;
    this.dummies = new SipHash(deriveKey(secret, 'unknown users'), 2, 4);
  }

  /** The user named by the credentials, as CredentialSource.find returns it. */
  findUser(): number {
    const { form } = this;
    const isHash = credentials[C_USERHASH] === 1;
    return this.users.find(form.name, 0, form.nameLength, isHash, this.realm.index, credentials[C_ALGORITHM]);
  }

  /**
   * Whether the response is right. An unknown user costs as much time as a wrong password: the same digests, and an HA1 of no
   * user, made from the name in both cases.
   */
  verify(user: number): boolean {
    if (user >= 0 && verifyResponse(this.users.ha1, user)) return true;
    const hash = this.dummies;
    hash.begin();
    hash.span(this.form.name, 0, this.form.nameLength);
    hash.end();
    for (let i = 0; i < HA1_BYTES; i++) this.dummyHa1[i] = hash.out[(i >> 2) & 3] >>> ((i & 3) << 3);
    if (user < 0) verifyResponse(this.dummyHa1, 0);
    return false;
  }
}
