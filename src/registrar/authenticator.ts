// Who asks, and may they (RFC 3261 §22 and §10.3 steps 3 and 4, RFC 7616, RFC 8760): reads the Authorization rows of the
// request in the table, answers 401, 400, 403 or 503 into the outbox, or lets the request go on. What it takes as given: users
// (CredentialSource), the AOR's key, the time. Nothing is kept but which nonces were used.
// @hot

import {
  ALG_SESS,
  C_ALGORITHM,
  C_CNONCE_AT,
  C_CNONCE_END,
  C_NC,
  C_NC_VALID,
  C_NONCE_AT,
  C_NONCE_END,
  C_OPAQUE_AT,
  C_OPAQUE_END,
  C_QOP,
  C_REALM_AT,
  C_REALM_END,
  C_RESPONSE_AT,
  C_RESPONSE_END,
  C_SCHEME,
  C_URI_AT,
  C_URI_END,
  C_USERHASH,
  C_USERNAME_AT,
  C_USERNAME_END,
  C_USERNAME_STAR_AT,
  credentials,
  decodeExtended,
  parseCredentials,
  QOP_AUTH,
  QOP_AUTH_INT,
  QOP_NONE,
  SCHEME_DIGEST,
  unescapeQuoted,
} from '../sip/credentials.ts';
import { E_OK } from '../sip/parse-error.ts';
import { CLASS, DIGIT, DOT, HEX, LOWER, sameBytes, sameText } from '../sip/scanner.ts';
import { SipHash } from '../sip/siphash.ts';
import { slab, table } from '../sip/slab.ts';
import {
  ABSENT,
  H_AUTHORIZATION,
  METHOD_REGISTER,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_METHOD,
  T_REQUEST_URI,
  T_ROWS,
  T_TO,
  URI_AT,
  URI_END,
  URI_HOST_AT,
  URI_HOST_END,
  URI_INTS,
} from '../sip/span-table.ts';
import { parseUri } from '../sip/uri.ts';
import { ascii } from '../sip/writer.ts';
import { Account } from './account.ts';
import type { AuthPolicy } from './auth-policy.ts';
import { Challenges } from './challenge.ts';
import { type CredentialSource, HA1_BYTES, USER_PENDING, USER_UNAVAILABLE } from './credential-source.ts';
import { deriveKey } from './derived-key.ts';
import { digestBytes, verifyResponse } from './digest.ts';
import { Domains } from './domains.ts';
import { NONCE_FOREIGN, NONCE_STALE } from './nonce.ts';
import { type NonceOptions, NonceUses } from './nonce-uses.ts';
import { NC_FORGOTTEN, NC_NEW, NC_WITHOUT_QOP } from './nonce-window.ts';
import type { Outbox } from './outbox.ts';
import { CREDENTIALS_IMPROPER, CREDENTIALS_INCOMPLETE, CREDENTIALS_URI, PARSE_PHRASE, PHRASE } from './phrases.ts';
import { REASON_AUTH } from './reasons.ts';
import { endResponse, startResponse } from './response.ts';

/** What authenticate() gives where the user is being fetched: no answer was written, ask again when it is there. */
export const AUTH_PENDING = -1;

// --- what became of the request (Authenticator.outcome)
export const AUTH_OK = 0;
/** None for our realm, or none yet: the first step of every authentication. */
export const AUTH_NO_CREDENTIALS = 1;
/** An algorithm, a qop, a userhash that no challenge of ours offered. */
export const AUTH_NOT_OFFERED = 2;
/** Malformed, incomplete, or for another URI: 400. */
export const AUTH_IMPROPER = 3;
/** Unknown user. Answered like AUTH_WRONG_RESPONSE. */
export const AUTH_UNKNOWN_USER = 4;
export const AUTH_WRONG_RESPONSE = 5;
/** Right, but the nonce is too old: 401 with stale=true. */
export const AUTH_STALE = 6;
/** Right, but nonce and nc were used before: 401 with stale=true. */
export const AUTH_REPLAYED = 7;
/** Right, but this user may not register this AOR: 403. */
export const AUTH_NOT_ALLOWED = 8;
/** Users cannot be looked up: 503. */
export const AUTH_UNAVAILABLE = 9;
export const AUTH_WAITING = 10;
/** Right, but the nonce is another AOR's or realm's, or not from here: 401 with stale=true. */
export const AUTH_FOREIGN_NONCE = 11;

/** Limits guesses at passwords. */
export interface GuessLimit {
  /** Whether credentials for an account (four words) are to be checked now; else 503. */
  mayTry(account: Uint32Array): boolean;
}

export interface AuthenticatorOptions extends NonceOptions {
  readonly guesses?: GuessLimit;
  /** Realms by the index that users.realmOf gives: lower-case domains; "*" among them serves every other one too. */
  readonly realms: readonly string[];
  readonly users: CredentialSource;
}

const REALM_BYTES_MAX = 256;
const NO_AOR = new Uint32Array(4);
const RETRY_AFTER = ascii('Retry-After: ');
const CRLF = ascii('\r\n');
const NOTHING_FOUND = -1;
const HEX_DIGITS = '0123456789abcdef';

export class Authenticator {
  /** AUTH_* of the last request: for counters and logs. */
  outcome = AUTH_OK;
  /** The name the last credentials gave, name[0, nameLength), raw and unescaped; empty where none was read. */
  readonly name: Uint8Array;
  nameLength = 0;
  /** Whose password the last credentials that were looked at tried. */
  readonly account: Account;
  private readonly guesses: GuessLimit | null;
  private policy: AuthPolicy;
  private readonly users: CredentialSource;
  private served: Domains;
  private challenges: Challenges;
  private readonly uses: NonceUses;
  private readonly opaque: Uint8Array;
  private readonly dummies: SipHash;
  private readonly dummyHa1 = new Uint8Array(HA1_BYTES);
  /** The realm of the request: index and text. */
  private realm = 0;
  private readonly realmText = new Uint8Array(REALM_BYTES_MAX);
  private realmLength = 0;
  private readonly unescaped = new Uint8Array(REALM_BYTES_MAX);
  private readonly uri = new Int32Array(URI_INTS);

  constructor(options: AuthenticatorOptions) {
    const { policy, secret } = options;
    this.policy = policy;
    this.users = options.users;
    this.served = new Domains(options.realms);
    this.challenges = new Challenges(policy, options.realms, hexText(deriveKey(secret, 'opaque')));
    this.uses = new NonceUses(options);
    this.account = new Account(secret.subarray(0, 16));
    this.guesses = options.guesses ?? null;
    this.opaque = ascii(this.challenges.opaque);
    this.dummies = new SipHash(deriveKey(secret, 'unknown users'), 2, 4);
    this.name = new Uint8Array(policy.parameterBytesMax);
  }

  /** Other rules; the sizes and lifetimes in force stay, and so do the nonces, where their generation does. @cold */
  configure(policy: AuthPolicy, realms: readonly string[], generation: number): void {
    this.policy = policy;
    this.served = new Domains(realms);
    this.challenges = new Challenges(policy, realms, this.challenges.opaque);
    this.uses.nonces.useGeneration(generation);
  }

  /**
   * Decides about the well-formed request in the table (never an ACK or CANCEL: §22.1). `out.now`, peer and tag are filled
   * and the answer is started.
   * @param aorKey four words that stand for the AOR the request is about
   * @param aor its canonical text, aorLength bytes; -1 where it names none
   * @returns 0: go on, `out` says who asks; AUTH_PENDING; else the status of the answer written
   */
  authenticate(out: Outbox, aorKey: Uint32Array, aor: Uint8Array, aorLength: number): number {
    const key = aorLength >= 0 ? aorKey : NO_AOR;
    this.nameLength = 0;
    this.takeRealm();
    const error = this.takeCredentials();
    if (error === NOTHING_FOUND) return this.challenge(out, key, AUTH_NO_CREDENTIALS);
    if (error !== E_OK) return this.improper(out, PARSE_PHRASE[error]);
    if (!hasResponse()) return this.challenge(out, key, AUTH_NO_CREDENTIALS);
    if (!this.isOffered()) return this.challenge(out, key, AUTH_NOT_OFFERED);
    const fault = this.faultOfForm();
    if (fault !== null) return this.improper(out, fault);
    this.account.take(this.name, this.nameLength, this.realmText, this.realmLength, aor, aorLength, key);
    if (this.guesses?.mayTry(this.account.key) === false) return this.unavailable(out);
    const user = this.findUser();
    if (user === USER_PENDING) {
      this.outcome = AUTH_WAITING;
      return AUTH_PENDING;
    }
    if (user === USER_UNAVAILABLE) return this.unavailable(out);
    if (!this.verify(user)) return this.wrong(out, key, user >= 0 ? AUTH_WRONG_RESPONSE : AUTH_UNKNOWN_USER);
    return this.admit(out, key, aor, aorLength);
  }

  /** The credentials are right: is the nonce good for this use, and may the user do this? */
  private admit(out: Outbox, key: Uint32Array, aor: Uint8Array, aorLength: number): number {
    const c = credentials;
    const { uses } = this;
    const nonce = uses.check(slab, c[C_NONCE_AT], c[C_NONCE_END], key, this.realmText, this.realmLength, out.now);
    if (nonce === NONCE_FOREIGN || !this.opaqueIsOurs()) return this.challenge(out, key, AUTH_FOREIGN_NONCE);
    if (nonce === NONCE_STALE) return this.challenge(out, key, AUTH_STALE);
    const isRegister = table[T_METHOD] === METHOD_REGISTER;
    if (isRegister && aorLength >= 0 && !this.users.mayRegister(aor, aorLength)) {
      this.outcome = AUTH_NOT_ALLOWED;
      return refuse(out, 403, PHRASE[403], this.outcome);
    }
    const nc = c[C_QOP] === QOP_NONE ? NC_WITHOUT_QOP : c[C_NC] >>> 0;
    const use = uses.use(nc, out.now);
    // What another life has counted may come again as it was: there its answer may have been lost (repeat.ts).
    out.repeatsOnly = use !== NC_NEW && use !== NC_FORGOTTEN && isRegister && out.mayRepeat && !this.nonceIsOfThisLife;
    if (use !== NC_NEW && !out.repeatsOnly)
      return this.challenge(out, key, use === NC_FORGOTTEN ? AUTH_STALE : AUTH_REPLAYED);
    this.outcome = AUTH_OK;
    out.authenticated = true;
    out.user = this.name;
    out.userLength = this.nameLength;
    out.userIsHash = c[C_USERHASH] === 1;
    out.nonceIdHigh = uses.nonces.idHigh;
    out.nonceIdLow = uses.nonces.idLow;
    out.nc = nc;
    return 0;
  }

  /** One realm per domain: of To, else of the Request-URI, else the first there is; so that no request goes without one. */
  private takeRealm(): void {
    if (this.isRealm(slab, table[T_TO + URI_HOST_AT], table[T_TO + URI_HOST_END])) return;
    if (this.isRealm(slab, table[T_REQUEST_URI + URI_HOST_AT], table[T_REQUEST_URI + URI_HOST_END])) return;
    this.isRealm(this.challenges.firstRealm, 0, this.challenges.firstRealm.length);
  }

  private isRealm(bytes: Uint8Array, at: number, end: number): boolean {
    if (at < 0 || end - at > REALM_BYTES_MAX) return false;
    const realm = this.users.realmOf(bytes, at, end);
    if (realm < 0) return false;
    this.realm = realm;
    this.realmLength = end - at;
    for (let i = 0; i < this.realmLength; i++) this.realmText[i] = LOWER[bytes[at + i]];
    return true;
  }

  /**
   * Brings the first Digest credentials for our realm (§22.2) into `credentials`: E_OK; NOTHING_FOUND; or why the one row
   * that might have held them could not be read.
   */
  private takeCredentials(): number {
    let error = NOTHING_FOUND;
    for (let row = table[T_FIRST_ROW + H_AUTHORIZATION]; row !== ABSENT; ) {
      const at = T_ROWS + row * ROW_INTS;
      const found = parseCredentials(table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
      if (found !== E_OK) error = found;
      else if (credentials[C_SCHEME] === SCHEME_DIGEST && this.isOurRealm()) return E_OK;
      row = table[at + ROW_NEXT];
    }
    return error;
  }

  /** Exactly, by bytes: the client repeats what the challenge said. */
  private isOurRealm(): boolean {
    const at = credentials[C_REALM_AT];
    if (at < 0) return false;
    if (sameBytes(slab, at, credentials[C_REALM_END], this.realmText, 0, this.realmLength)) return true;
    const length = unescapeQuoted(at, credentials[C_REALM_END], this.unescaped);
    return length >= 0 && sameBytes(this.unescaped, 0, length, this.realmText, 0, this.realmLength);
  }

  private isOffered(): boolean {
    const c = credentials;
    const { policy } = this;
    if (!this.challenges.offers(c[C_ALGORITHM])) return false;
    if (c[C_USERHASH] === 1 && !policy.userhash) return false;
    if (c[C_QOP] === QOP_NONE) return policy.legacyWithoutQop;
    return c[C_QOP] === QOP_AUTH || (c[C_QOP] === QOP_AUTH_INT && policy.qop === 'auth,auth-int');
  }

  /** RFC 7616 §3.4: the phrase of a 400 where parameters are missing or improper, else null. */
  private faultOfForm(): Uint8Array | null {
    const c = credentials;
    const max = this.policy.parameterBytesMax;
    const both = c[C_USERNAME_AT] >= 0 && c[C_USERNAME_STAR_AT] >= 0;
    const neither = c[C_USERNAME_AT] < 0 && c[C_USERNAME_STAR_AT] < 0;
    if (neither || c[C_URI_AT] < 0) return CREDENTIALS_INCOMPLETE;
    const needsCnonce = c[C_QOP] !== QOP_NONE || (c[C_ALGORITHM] & ALG_SESS) !== 0;
    if (needsCnonce && c[C_CNONCE_AT] < 0) return CREDENTIALS_INCOMPLETE;
    if (c[C_QOP] !== QOP_NONE && c[C_NC_VALID] === 0) return CREDENTIALS_IMPROPER;
    if (both || c[C_USERHASH] < 0 || (c[C_USERHASH] === 1 && c[C_USERNAME_STAR_AT] >= 0)) return CREDENTIALS_IMPROPER;
    if (c[C_CNONCE_END] - c[C_CNONCE_AT] > max || c[C_URI_END] - c[C_URI_AT] > max) return CREDENTIALS_IMPROPER;
    if (!responseFits(digestBytes(c[C_ALGORITHM]))) return CREDENTIALS_IMPROPER;
    this.nameLength = both || c[C_USERNAME_AT] < 0 ? this.takeExtendedName() : this.takeName();
    if (this.nameLength < 0) {
      this.nameLength = 0;
      return CREDENTIALS_IMPROPER;
    }
    return this.uriIsServed() ? null : CREDENTIALS_URI;
  }

  private takeName(): number {
    return unescapeQuoted(credentials[C_USERNAME_AT], credentials[C_USERNAME_END], this.name);
  }

  private takeExtendedName(): number {
    return decodeExtended(credentials[C_USERNAME_STAR_AT], credentials[C_USERNAME_STAR_AT + 1], this.name);
  }

  /**
   * RFC 8760 §2.6 (6): not always the Request-URI, but of the same host, of a domain served, or of an IP address: the one
   * the client reached us at, which nobody here can know for sure.
   */
  private uriIsServed(): boolean {
    const at = credentials[C_URI_AT];
    const end = credentials[C_URI_END];
    if (sameBytes(slab, at, end, slab, table[T_REQUEST_URI + URI_AT], table[T_REQUEST_URI + URI_END])) return true;
    const { uri } = this;
    if (parseUri(slab, at, end, uri, 0) !== E_OK || uri[URI_HOST_AT] < 0) return false;
    const hostAt = uri[URI_HOST_AT];
    const hostEnd = uri[URI_HOST_END];
    if (this.served.serves(slab, hostAt, hostEnd) || isAddress(hostAt, hostEnd)) return true;
    const own = table[T_REQUEST_URI + URI_HOST_AT];
    return own >= 0 && sameText(slab, hostAt, hostEnd, slab, own, table[T_REQUEST_URI + URI_HOST_END]);
  }

  private findUser(): number {
    const isHash = credentials[C_USERHASH] === 1;
    return this.users.find(this.name, 0, this.nameLength, isHash, this.realm, credentials[C_ALGORITHM]);
  }

  /**
   * Whether the response is right. An unknown user costs what a wrong password costs: the same digests, and an HA1 that
   * nobody has, made from the name either way.
   */
  private verify(user: number): boolean {
    if (user >= 0 && verifyResponse(this.users.ha1, user)) return true;
    const hash = this.dummies;
    hash.begin();
    hash.span(this.name, 0, this.nameLength);
    hash.end();
    for (let i = 0; i < HA1_BYTES; i++) this.dummyHa1[i] = hash.out[(i >> 2) & 3] >>> ((i & 3) << 3);
    if (user < 0) verifyResponse(this.dummyHa1, 0);
    return false;
  }

  /** Missing is fine (old clients), altered is another server's session (RFC 7616 §3.4). */
  private opaqueIsOurs(): boolean {
    const at = credentials[C_OPAQUE_AT];
    const end = credentials[C_OPAQUE_END];
    return at < 0 || at === end || sameBytes(slab, at, end, this.opaque, 0, this.opaque.length);
  }

  private wrong(out: Outbox, key: Uint32Array, outcome: number): number {
    if (this.policy.wrongCredentials === 401) return this.challenge(out, key, outcome);
    this.outcome = outcome;
    return refuse(out, 403, PHRASE[403], this.outcome);
  }

  /**
   * Whether the nonce checked last was issued here. One of another life was perhaps used there for what left no trace: a fetch, or a
   * request refused after its credentials were right; and no digest covers Contact.
   */
  get nonceIsOfThisLife(): boolean {
    return this.uses.nonces.isOfThisLife;
  }

  /** Credentials that were right are wanted anew, with a nonce of this life; parameters as authenticate() had them. */
  askAgain(out: Outbox, aorKey: Uint32Array): number {
    out.authenticated = false;
    return this.challenge(out, aorKey, out.repeatsOnly ? AUTH_REPLAYED : AUTH_STALE);
  }

  /** A 401; stale=true where the credentials were right (RFC 7616 §3.3). Nothing is kept of it. */
  private challenge(out: Outbox, key: Uint32Array, outcome: number): number {
    const { realmText, realmLength } = this;
    this.outcome = outcome;
    const nonce = this.uses.issue(key, realmText, realmLength, out.now);
    out.reason = REASON_AUTH + outcome;
    startResponse(out, 401, PHRASE[401]);
    const stale = outcome === AUTH_STALE || outcome === AUTH_REPLAYED || outcome === AUTH_FOREIGN_NONCE;
    const usable = this.users.algorithms;
    this.challenges.write(out, this.realm, realmText, realmLength, nonce, stale, usable);
    endResponse(out);
    return 401;
  }

  private improper(out: Outbox, phrase: Uint8Array): number {
    this.outcome = AUTH_IMPROPER;
    return refuse(out, 400, phrase, this.outcome);
  }

  /** Whom a request that waits is for, as the provider is to be asked: without the realm that some phones add. @cold */
  waitingFor(): { user: string; realm: string } {
    const text = new TextDecoder();
    const name = text.decode(this.name.subarray(0, this.nameLength));
    const realm = text.decode(this.realmText.subarray(0, this.realmLength));
    const whole = name.toLowerCase().endsWith(`@${realm}`);
    return { user: whole ? name.slice(0, -realm.length - 1) : name, realm };
  }

  /** Users cannot be looked up now: 503. */
  unavailable(out: Outbox): number {
    this.outcome = AUTH_UNAVAILABLE;
    out.reason = REASON_AUTH + AUTH_UNAVAILABLE;
    startResponse(out, 503, PHRASE[503]);
    out.answer.text(RETRY_AFTER);
    out.answer.number(this.policy.retryAfterS);
    out.answer.text(CRLF);
    endResponse(out);
    return 503;
  }
}

function refuse(out: Outbox, status: number, phrase: Uint8Array, outcome: number): number {
  out.reason = REASON_AUTH + outcome;
  startResponse(out, status, phrase);
  endResponse(out);
  return status;
}

/** RFC 8760 §2.7: nonce and response are empty where a client has not been challenged yet. */
function hasResponse(): boolean {
  const c = credentials;
  return c[C_NONCE_END] > c[C_NONCE_AT] && c[C_RESPONSE_END] > c[C_RESPONSE_AT];
}

/** RFC 8760 §2.2: two hex digits a byte of the algorithm's digest. */
function responseFits(bytes: number): boolean {
  const at = credentials[C_RESPONSE_AT];
  const end = credentials[C_RESPONSE_END];
  if (end - at !== 2 * bytes) return false;
  for (let p = at; p < end; p++) if (HEX[slab[p]] > 15) return false;
  return true;
}

/** Whether a host is an IP address: an IPv6 reference, or digits and dots. */
function isAddress(at: number, end: number): boolean {
  if (slab[at] === 0x5b) return true;
  for (let p = at; p < end; p++) if (slab[p] !== DOT && (CLASS[slab[p]] & DIGIT) === 0) return false;
  return true;
}

/** Eight bytes as hex digits. @cold */
function hexText(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < 8; i++) text += HEX_DIGITS[bytes[i] >> 4] + HEX_DIGITS[bytes[i] & 15];
  return text;
}
