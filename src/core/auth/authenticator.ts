// Authentication and authorization (RFC 3261 §22 and §10.3 steps 3 and 4, RFC 7616, RFC 8760). The authenticator reads the Authorization
// rows of the request in the table, answers 401, 400, 403 or 503, or lets the request pass. Users (CredentialSource), the AOR's key
// and the time are given. Only used nonces are kept.
// @hot

import { credentials, parseCredentials, QOP_NONE, SCHEME_BEARER, SCHEME_DIGEST } from '../../sip/credentials.ts';
import {
  C_NC,
  C_NONCE_AT,
  C_NONCE_END,
  C_QOP,
  C_RESPONSE_AT,
  C_RESPONSE_END,
  C_SCHEME,
  C_USERHASH,
} from '../../sip/parser/credential-spans.ts';
import { E_OK } from '../../sip/parser/parse-error.ts';
import { slab, table } from '../../sip/parser/slab.ts';
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
  T_ROWS,
} from '../../sip/parser/span-table.ts';
import { shownText } from '../../sip/shown-text.ts';
import { Account } from '../abuse/account.ts';
import type { Exchange, ExchangeResult } from '../uas/exchange.ts';
import { PARSE_PHRASE } from '../uas/phrases.ts';
import type { AuthPolicy } from './auth-policy.ts';
import { AuthResponses } from './auth-responses.ts';
import { AuthenticationInfo } from './authentication-info.ts';
import { BearerTokens, type TokenOffer } from './bearer.ts';
import { CredentialForm, hasResponse } from './credential-form.ts';
import { ALG_TOKEN, type CredentialSource, USER_PENDING, USER_UNAVAILABLE } from './credential-source.ts';
import { NONCE_FOREIGN, NONCE_STALE } from './nonce.ts';
import { type NonceOptions, NonceUses } from './nonce-uses.ts';
import { NC_FORGOTTEN, NC_NEW, NC_WITHOUT_QOP } from './nonce-window.ts';
import {
  AUTH_FOREIGN_NONCE,
  AUTH_NO_CREDENTIALS,
  AUTH_NOT_OFFERED,
  AUTH_OK,
  AUTH_PENDING,
  AUTH_REPLAYED,
  AUTH_STALE,
  AUTH_UNKNOWN_USER,
  AUTH_WAITING,
  AUTH_WRONG_RESPONSE,
  rankOf,
} from './outcome.ts';
import { PasswordCheck } from './password-check.ts';
import { RequestRealm } from './request-realm.ts';

/** Limits guesses at passwords. */
export interface GuessLimit {
  /** Whether credentials for an account (four words) are checked now; else 503. */
  mayTry(account: Uint32Array): boolean;
}

export interface AuthenticatorOptions extends NonceOptions {
  readonly guesses?: GuessLimit;
  /** Realms by the index that users.realmOf returns: lower-case domains; "*" among them serves every other one too. */
  readonly realms: readonly string[];
  readonly users: CredentialSource;
  /** Access tokens, where they are accepted beside passwords. */
  readonly tokens?: TokenOffer;
}

const NO_AOR = new Uint32Array(4);
const NOTHING_FOUND = -1;
const ANOTHER_ACCOUNT = -2;
const NO_RANK = -1;
/** Rows of one realm that are tried: each may cost two digests. */
const ROWS_TRIED_MAX = 4;

export class Authenticator {
  /** The account of the credentials tried last. */
  readonly account: Account;
  private readonly guesses: GuessLimit | null;
  /** The account that the request's first credentials name, if `accountIsNamed`. */
  private readonly tried = new Uint32Array(4);
  private accountIsNamed = false;
  private readonly users: CredentialSource;
  private readonly form: CredentialForm;
  private readonly passwords: PasswordCheck;
  private readonly responses: AuthResponses;
  private readonly uses: NonceUses;
  private readonly realm: RequestRealm;
  private readonly info: AuthenticationInfo;
  private readonly bearer: BearerTokens | null;
  /** The request was let in by a token. */
  private byToken = false;

  constructor(options: AuthenticatorOptions) {
    const { policy, realms, secret, users } = options;
    this.users = users;
    this.realm = new RequestRealm(users);
    this.form = new CredentialForm(policy, realms);
    this.passwords = new PasswordCheck(users, this.form, this.realm, secret);
    this.uses = new NonceUses(options);
    this.info = new AuthenticationInfo(this.uses, this.realm);
    this.info.configure(policy);
    this.account = new Account(secret.subarray(0, 16));
    this.guesses = options.guesses ?? null;
    this.bearer = options.tokens === undefined ? null : new BearerTokens(options.tokens, secret);
    const { bearer, realm, uses } = this;
    this.responses = new AuthResponses({ policy, realms, secret, users, realm, uses, bearer });
  }

  /** AUTH_* of the last request: for counters and logs. */
  get outcome(): number {
    return this.responses.outcome;
  }

  /** Resets the outcome, once the last request has been counted. */
  forgetOutcome(): void {
    this.responses.outcome = AUTH_OK;
  }

  /** The name in the last credentials, name[0, nameLength), raw and unescaped; empty where none was read. */
  get name(): Uint8Array {
    return this.form.name;
  }

  get nameLength(): number {
    return this.form.nameLength;
  }

  /** The account that the last credentials named, user@realm, if that user exists: another name may be a password. @cold */
  get knownAccount(): string | null {
    const { form, passwords, realm } = this;
    if (passwords.findUser() < 0) return null;
    const host = `@${shownText(realm.text, 0, realm.length)}`;
    const name = shownText(form.name, 0, form.nameLength);
    return name.endsWith(host) ? name : `${name}${host}`;
  }

  /** Sets other rules; sizes and lifetimes stay, and nonces stay where their generation does. @cold */
  configure(policy: AuthPolicy, realms: readonly string[], generation: number): void {
    this.form.configure(realms);
    this.responses.configure(policy, realms);
    this.uses.nonces.useGeneration(generation);
    this.info.configure(policy);
  }

  /** Begins a new life, since another node may have decided requests meanwhile: earlier nonces count as another life's. @cold */
  beginLife(life: number): void {
    this.uses.beginLife(life);
  }

  /**
   * Decides about the well-formed request in the table (never an ACK or CANCEL: §22.1). The exchange's request is
   * filled and its answer started.
   * @param aorKey four words: the hash of the request's AOR
   * @param aor its canonical text, aorLength bytes; -1 where it names none
   * @returns 0: let in, the exchange's work names the user; AUTH_PENDING; else the status of the written answer
   */
  authenticate(exchange: Exchange, aorKey: Uint32Array, aor: Uint8Array, aorLength: number): number {
    const key = aorLength >= 0 ? aorKey : NO_AOR;
    this.form.nameLength = 0;
    this.accountIsNamed = false;
    this.byToken = false;
    this.responses.refusesToken = false;
    this.realm.choose(this.responses.firstRealm);
    let error = NOTHING_FOUND;
    let best = ABSENT;
    let bestRank = NO_RANK;
    let last = ABSENT;
    let tries = 0;
    for (let row = table[T_FIRST_ROW + H_AUTHORIZATION]; row !== ABSENT && tries < ROWS_TRIED_MAX; row = nextRow(row)) {
      const found = this.readCredentials(exchange, row);
      if (found !== E_OK) {
        if (found !== NOTHING_FOUND) error = found;
        continue;
      }
      if (tries++ > 0) startAgain(exchange.result);
      last = row;
      const status = this.tryCredentials(exchange, key, aor, aorLength);
      if (status === 0 || status === AUTH_PENDING || status === 503) return status;
      const rank = status === ANOTHER_ACCOUNT ? NO_RANK : rankOf(this.responses.outcome);
      if (rank > bestRank) {
        best = row;
        bestRank = rank;
      }
    }
    if (best === ABSENT) return this.withoutCredentials(exchange, key, error);
    if (best !== last) {
      // The best row decides the answer and the count.
      startAgain(exchange.result);
      this.readCredentials(exchange, best);
      this.accountIsNamed = false;
      return this.tryCredentials(exchange, key, aor, aorLength);
    }
    return exchange.result.status;
  }

  private withoutCredentials(exchange: Exchange, key: Uint32Array, error: number): number {
    if (error === NOTHING_FOUND) return this.responses.challenge(exchange, key, AUTH_NO_CREDENTIALS);
    return this.responses.improper(exchange, PARSE_PHRASE[error]);
  }

  /** Result of the row in `credentials`, as `authenticate` returns it; ANOTHER_ACCOUNT where an earlier row named another one. */
  private tryCredentials(exchange: Exchange, key: Uint32Array, aor: Uint8Array, aorLength: number): number {
    if (credentials[C_SCHEME] === SCHEME_BEARER) return this.tryToken(exchange, key, aor, aorLength);
    const { passwords, responses } = this;
    responses.refusesToken = false;
    if (!hasResponse()) return responses.challenge(exchange, key, AUTH_NO_CREDENTIALS);
    if (!responses.offersCredentials()) return responses.challenge(exchange, key, AUTH_NOT_OFFERED);
    const fault = this.form.fault();
    if (fault !== null) return responses.improper(exchange, fault);
    if (!this.nameAccount(key, aor, aorLength)) return ANOTHER_ACCOUNT;
    if (this.guesses?.mayTry(this.account.key) === false) return responses.unavailable(exchange);
    const user = passwords.findUser();
    if (user === USER_PENDING) {
      responses.outcome = AUTH_WAITING;
      return AUTH_PENDING;
    }
    if (user === USER_UNAVAILABLE) return responses.unavailable(exchange);
    if (!passwords.verify(user))
      return responses.wrong(exchange, key, user >= 0 ? AUTH_WRONG_RESPONSE : AUTH_UNKNOWN_USER);
    return this.authorize(exchange, key, user, aor, aorLength);
  }

  /** RFC 8898 §2.2. The token's bearer is its user; its AORs came with it. */
  private tryToken(exchange: Exchange, key: Uint32Array, aor: Uint8Array, aorLength: number): number {
    const { bearer, form, responses, users } = this;
    const { work } = exchange;
    responses.refusesToken = true;
    form.nameLength = bearer?.readName(form.name) ?? 0;
    if (bearer === null || form.nameLength === 0) return responses.challenge(exchange, key, AUTH_WRONG_RESPONSE);
    if (!this.nameAccount(key, aor, aorLength)) return ANOTHER_ACCOUNT;
    if (this.guesses?.mayTry(this.account.key) === false) return responses.unavailable(exchange);
    const token = users.find(form.name, 0, form.nameLength, false, this.realm.index, ALG_TOKEN);
    if (token === USER_PENDING) {
      responses.outcome = AUTH_WAITING;
      return AUTH_PENDING;
    }
    if (token === USER_UNAVAILABLE) return responses.unavailable(exchange);
    const leftMs = token < 0 ? 0 : bearer.endOf(users.ha1, token) - exchange.request.now;
    if (!(leftMs > 0)) return responses.challenge(exchange, key, AUTH_WRONG_RESPONSE);
    if (table[T_METHOD] === METHOD_REGISTER && aorLength >= 0 && !users.mayRegister(aor, aorLength))
      return responses.notAllowed(exchange);
    this.byToken = true;
    responses.outcome = AUTH_OK;
    work.authenticated = true;
    work.userRules = users.rules(token);
    work.user = aor;
    work.userLength = aorLength < 0 ? 0 : aorLength;
    work.userIsHash = false;
    work.nonceIdHigh = 0;
    work.nonceIdLow = 0;
    work.nc = 0;
    work.grantMaxS = Math.max(1, Math.floor(leftMs / 1000));
    return 0;
  }

  /** The credentials are right: decides whether the nonce is good for this use, and whether the user may register the AOR. */
  private authorize(exchange: Exchange, key: Uint32Array, user: number, aor: Uint8Array, aorLength: number): number {
    const c = credentials;
    const { realm, responses, uses } = this;
    const { request, work } = exchange;
    const nonce = uses.check(slab, c[C_NONCE_AT], c[C_NONCE_END], key, realm.text, realm.length, request.now);
    if (nonce === NONCE_FOREIGN || !responses.opaqueIsOurs())
      return responses.challenge(exchange, key, AUTH_FOREIGN_NONCE);
    if (nonce === NONCE_STALE) return responses.challenge(exchange, key, AUTH_STALE);
    const isRegister = table[T_METHOD] === METHOD_REGISTER;
    if (isRegister && aorLength >= 0 && !this.users.mayRegister(aor, aorLength)) return responses.notAllowed(exchange);
    const nc = c[C_QOP] === QOP_NONE ? NC_WITHOUT_QOP : c[C_NC] >>> 0;
    const use = uses.use(nc, request.now);
    // A request that another life counted may be repeated unchanged: its answer may have been lost (repeat.ts).
    const isCounted = use !== NC_NEW && use !== NC_FORGOTTEN;
    work.repeatsOnly = isCounted && isRegister && request.mayRepeat && !this.nonceIsOfThisLife;
    if (use !== NC_NEW && !work.repeatsOnly)
      return responses.challenge(exchange, key, use === NC_FORGOTTEN ? AUTH_STALE : AUTH_REPLAYED);
    responses.outcome = AUTH_OK;
    work.authenticated = true;
    work.userRules = this.users.rules(user);
    work.user = this.name;
    work.userLength = this.nameLength;
    work.userIsHash = c[C_USERHASH] === 1;
    work.answerInfo = this.info.about(key);
    work.nonceIdHigh = uses.nonces.idHigh;
    work.nonceIdLow = uses.nonces.idLow;
    work.nc = nc;
    return 0;
  }

  /**
   * Names the account whose password is tried; false where it is not the request's first. The rows of a request are one attempt, so that
   * known credentials of one account cannot hide a guess at another.
   */
  private nameAccount(key: Uint32Array, aor: Uint8Array, aorLength: number): boolean {
    const { account, realm, tried } = this;
    account.compute(this.name, this.nameLength, realm.text, realm.length, aor, aorLength, key);
    if (!this.accountIsNamed) tried.set(account.key);
    this.accountIsNamed = true;
    for (let i = 0; i < 4; i++) if (account.key[i] !== tried[i]) return false;
    return true;
  }

  /**
   * Reads a row into `credentials`: E_OK; NOTHING_FOUND where they are neither Digest ones for our realm (§22.2) nor an acceptable token;
   * or the parse error.
   */
  private readCredentials(exchange: Exchange, row: number): number {
    const at = T_ROWS + row * ROW_INTS;
    const found = parseCredentials(table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
    if (found !== E_OK) return found;
    if (credentials[C_SCHEME] === SCHEME_DIGEST) return this.realm.isOfCredentials() ? E_OK : NOTHING_FOUND;
    return credentials[C_SCHEME] === SCHEME_BEARER && this.bearer?.mayUse(exchange) ? E_OK : NOTHING_FOUND;
  }

  /**
   * Whether the nonce checked last was issued in this life. One of another life may have been used there without a trace: for a fetch, or
   * for a request refused after its credentials were right; and no digest covers Contact.
   */
  get nonceIsOfThisLife(): boolean {
    return this.byToken || this.uses.nonces.isOfThisLife;
  }

  /** Challenges right credentials again, for a nonce of this life; parameters as in authenticate(). */
  askAgain(exchange: Exchange, aorKey: Uint32Array): number {
    const { work } = exchange;
    work.authenticated = false;
    return this.responses.challenge(exchange, aorKey, work.repeatsOnly ? AUTH_REPLAYED : AUTH_STALE);
  }

  /** Users cannot be looked up now: 503. */
  unavailable(exchange: Exchange): number {
    return this.responses.unavailable(exchange);
  }

  /** The user of a waiting request, as the provider is asked: without the realm that some phones add. @cold */
  waitingFor(): { user: string; realm: string; token?: string } {
    const text = new TextDecoder();
    const name = text.decode(this.name.subarray(0, this.nameLength));
    const realm = text.decode(this.realm.text.subarray(0, this.realm.length));
    const c = credentials;
    if (c[C_SCHEME] === SCHEME_BEARER)
      return { user: name, realm, token: text.decode(slab.subarray(c[C_RESPONSE_AT], c[C_RESPONSE_END])) };
    const whole = name.toLowerCase().endsWith(`@${realm}`);
    return { user: whole ? name.slice(0, -realm.length - 1) : name, realm };
  }
}

function nextRow(row: number): number {
  return table[T_ROWS + row * ROW_INTS + ROW_NEXT];
}

/** Discards the written answer. */
function startAgain({ answer }: ExchangeResult): void {
  answer.start(answer.bytes, answer.from, answer.limit);
}
