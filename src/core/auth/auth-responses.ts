// The answers of authentication (RFC 3261 §22.1 and §10.3 steps 3 and 4): 401 with its challenges, 400, 403 and 503.
// @hot

import { credentials, QOP_AUTH, QOP_AUTH_INT, QOP_NONE } from '../../sip/credentials.ts';
import { C_ALGORITHM, C_OPAQUE_AT, C_OPAQUE_END, C_QOP, C_USERHASH } from '../../sip/parser/credential-spans.ts';
import { slab } from '../../sip/parser/slab.ts';
import { sameBytes } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PHRASE } from '../uas/phrases.ts';
import { REASON_AUTH, REASON_TOKEN_INVALID } from '../uas/reasons.ts';
import { endResponse, startResponse } from '../uas/response.ts';
import type { AuthPolicy } from './auth-policy.ts';
import type { BearerTokens } from './bearer.ts';
import { Challenges } from './challenge.ts';
import type { CredentialSource } from './credential-source.ts';
import { deriveText } from './derived-key.ts';
import type { NonceUses } from './nonce-uses.ts';
import {
  AUTH_FOREIGN_NONCE,
  AUTH_IMPROPER,
  AUTH_NOT_ALLOWED,
  AUTH_OK,
  AUTH_REPLAYED,
  AUTH_STALE,
  AUTH_UNAVAILABLE,
} from './outcome.ts';
import type { RequestRealm } from './request-realm.ts';

const RETRY_AFTER = ascii('Retry-After: ');
const CRLF = ascii('\r\n');

export interface AuthResponseParts {
  readonly policy: AuthPolicy;
  /** As the authenticator has them. */
  readonly realms: readonly string[];
  /** 32 bytes, of the data directory. */
  readonly secret: Uint8Array;
  readonly users: CredentialSource;
  readonly realm: RequestRealm;
  readonly uses: NonceUses;
  readonly bearer: BearerTokens | null;
}

export class AuthResponses {
  /** AUTH_* of the last request. */
  outcome = AUTH_OK;
  /** The challenge refuses a token (RFC 6750 §3.1). */
  refusesToken = false;
  private policy: AuthPolicy;
  private challenges: Challenges;
  private readonly opaque: Uint8Array;
  private readonly users: CredentialSource;
  private readonly realm: RequestRealm;
  private readonly uses: NonceUses;
  private readonly bearer: BearerTokens | null;

  constructor(parts: AuthResponseParts) {
    this.policy = parts.policy;
    this.challenges = new Challenges(parts.policy, parts.realms, deriveText(parts.secret, 'opaque'));
    this.opaque = ascii(this.challenges.opaque);
    this.users = parts.users;
    this.realm = parts.realm;
    this.uses = parts.uses;
    this.bearer = parts.bearer;
  }

  /** @cold */
  configure(policy: AuthPolicy, realms: readonly string[]): void {
    this.policy = policy;
    this.challenges = new Challenges(policy, realms, this.challenges.opaque);
  }

  /** The realm for requests that name none of the served ones. */
  get firstRealm(): Uint8Array {
    return this.challenges.firstRealm;
  }

  /** Whether the credentials are of a kind that a challenge offers (RFC 8760 §2.6). */
  offersCredentials(): boolean {
    const c = credentials;
    const { policy } = this;
    if (!this.challenges.offers(c[C_ALGORITHM])) return false;
    if (c[C_USERHASH] === 1 && !policy.userhash) return false;
    if (c[C_QOP] === QOP_NONE) return policy.legacyWithoutQop;
    return c[C_QOP] === QOP_AUTH || (c[C_QOP] === QOP_AUTH_INT && policy.qop === 'auth,auth-int');
  }

  /** A missing opaque is accepted (old clients), an altered one is another server's session (RFC 7616 §3.4). */
  opaqueIsOurs(): boolean {
    const at = credentials[C_OPAQUE_AT];
    const end = credentials[C_OPAQUE_END];
    return at < 0 || at === end || sameBytes(slab, at, end, this.opaque, 0, this.opaque.length);
  }

  /** A 401; stale=true where the credentials were right (RFC 7616 §3.3). No state is kept for it. */
  challenge(exchange: Exchange, key: Uint32Array, outcome: number): number {
    const { realm } = this;
    this.outcome = outcome;
    const nonce = this.uses.issue(key, realm.text, realm.length, exchange.request.now);
    exchange.result.reason = this.refusesToken ? REASON_TOKEN_INVALID : REASON_AUTH + outcome;
    startResponse(exchange, 401, PHRASE[401]);
    const stale = outcome === AUTH_STALE || outcome === AUTH_REPLAYED || outcome === AUTH_FOREIGN_NONCE;
    const usable = this.users.algorithms;
    this.challenges.write(exchange.result, realm.index, realm.text, realm.length, nonce, stale, usable);
    if (this.bearer?.mayUse(exchange)) this.bearer.challenge(exchange, realm.text, realm.length, this.refusesToken);
    endResponse(exchange);
    return 401;
  }

  /** Wrong credentials: 401 or 403, by the policy. */
  wrong(exchange: Exchange, key: Uint32Array, outcome: number): number {
    if (this.policy.wrongCredentials === 401) return this.challenge(exchange, key, outcome);
    return this.refuse(exchange, 403, PHRASE[403], outcome);
  }

  /** Another's AOR (RFC 3261 §10.3 step 4). */
  notAllowed(exchange: Exchange): number {
    return this.refuse(exchange, 403, PHRASE[403], AUTH_NOT_ALLOWED);
  }

  /** Malformed or incomplete credentials. */
  improper(exchange: Exchange, phrase: Uint8Array): number {
    return this.refuse(exchange, 400, phrase, AUTH_IMPROPER);
  }

  /** Users cannot be looked up now: 503. */
  unavailable(exchange: Exchange): number {
    this.outcome = AUTH_UNAVAILABLE;
    const { answer } = exchange.result;
    exchange.result.reason = REASON_AUTH + AUTH_UNAVAILABLE;
    startResponse(exchange, 503, PHRASE[503]);
    answer.text(RETRY_AFTER);
    answer.number(this.policy.retryAfterS);
    answer.text(CRLF);
    endResponse(exchange);
    return 503;
  }

  private refuse(exchange: Exchange, status: number, phrase: Uint8Array, outcome: number): number {
    this.outcome = outcome;
    exchange.result.reason = REASON_AUTH + outcome;
    startResponse(exchange, status, phrase);
    endResponse(exchange);
    return status;
  }
}
