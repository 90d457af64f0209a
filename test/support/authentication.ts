// An authenticator with a few users in memory, in virtual time: text in, what it decided out.

import { type AuthPolicy, DEFAULT_AUTH_POLICY } from '../../src/core/auth/auth-policy.ts';
import { Authenticator } from '../../src/core/auth/authenticator.ts';
import { type CredentialSource, HA1_BYTES, USER_UNKNOWN } from '../../src/core/auth/credential-source.ts';
import type { NonceFloors } from '../../src/core/auth/nonce-uses.ts';
import { AUTH_PENDING } from '../../src/core/auth/outcome.ts';
import { ShardExchange } from '../../src/core/uas/exchange.ts';
import { E_OK } from '../../src/sip/parser/parse-error.ts';
import { parse } from '../../src/sip/parser/parser.ts';
import { slab, table } from '../../src/sip/parser/slab.ts';
import { T_TO } from '../../src/sip/parser/span-table.ts';
import { SipHash } from '../../src/sip/siphash.ts';
import { canonicalAor } from '../../src/sip/uri/uri.ts';
import { authorization, digestOf, ha1Of, type Login } from './digest-client.ts';

const BASES = ['MD5', 'SHA-256', 'SHA-512-256'];
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => 3 * i + 1);

/** Users by name: password, and the AORs they may register besides their own. */
export class TestUsers implements CredentialSource {
  rules(): string {
    return '';
  }

  readonly ha1 = new Uint8Array(HA1_BYTES);
  algorithms = 7;
  /** USER_* to give instead of looking. */
  failure = 0;
  private found = '';
  private guest = '';
  private readonly realms: readonly string[];
  private readonly passwords: Readonly<Record<string, string>>;
  private readonly others: Readonly<Record<string, readonly string[]>>;

  constructor(
    realms: readonly string[],
    passwords: Readonly<Record<string, string>>,
    others: Readonly<Record<string, readonly string[]>>,
  ) {
    this.realms = realms;
    this.passwords = passwords;
    this.others = others;
  }

  realmOf(bytes: Uint8Array, at: number, end: number): number {
    const host = Buffer.from(bytes.subarray(at, end)).toString('latin1').toLowerCase();
    const fixed = this.realms.filter((name) => name !== '*');
    this.guest = host;
    return fixed.includes(host) ? fixed.indexOf(host) : this.realms.includes('*') ? fixed.length : -1;
  }

  find(bytes: Uint8Array, at: number, end: number, isUserhash: boolean, realm: number, algorithm: number): number {
    if (this.failure !== 0) return this.failure;
    const name = Buffer.from(bytes.subarray(at, end)).toString('latin1');
    const realmName = this.realms.filter((n) => n !== '*')[realm] ?? this.guest;
    const base = BASES[algorithm & 3];
    const user = isUserhash
      ? Object.keys(this.passwords).find((each) => digestOf(base, `${each}:${realmName}`) === name.toLowerCase())
      : name;
    if (user === undefined || this.passwords[user] === undefined) return USER_UNKNOWN;
    this.found = `${user}@${realmName}`;
    this.ha1.set(Buffer.from(ha1Of(base, user, realmName, this.passwords[user]), 'hex'));
    return 0;
  }

  /** A shard calls it once per batch. */
  refresh(): void {}
  useRealms(): void {}

  isGiven(aor: Uint8Array, aorLength: number): boolean {
    const text = Buffer.from(aor.subarray(0, aorLength)).toString('latin1');
    return Object.values(this.others).some((aors) => aors.includes(text));
  }

  mayRegister(aor: Uint8Array, aorLength: number): boolean {
    const text = Buffer.from(aor.subarray(0, aorLength)).toString('latin1');
    return text === this.found || (this.others[this.found] ?? []).includes(text);
  }
}

export interface Verdict {
  /** 0: the request goes on; AUTH_PENDING; else the answer's. */
  readonly status: number;
  readonly outcome: number;
  readonly text: string;
  /** Each WWW-Authenticate value. */
  readonly challenges: readonly string[];
  readonly nonce: string;
  readonly stale: boolean;
}

export interface AuthenticationOptions {
  readonly policy?: Partial<AuthPolicy>;
  readonly realms?: readonly string[];
  readonly users?: Readonly<Record<string, string>>;
  readonly others?: Readonly<Record<string, readonly string[]>>;
  readonly secret?: Uint8Array;
  readonly generation?: number;
  readonly life?: number;
  readonly floors?: NonceFloors;
}

export interface Asking {
  readonly method?: string;
  readonly requestUri?: string;
  readonly to?: string;
  readonly body?: string;
  /** Values of Authorization rows. */
  readonly rows?: readonly string[];
}

export class Authentication {
  /** Epoch milliseconds. */
  now = Date.UTC(2026, 0, 1);
  readonly users: TestUsers;
  readonly exchange = new ShardExchange();
  readonly authenticator: Authenticator;
  private readonly aor = new Uint8Array(256);
  private readonly aorHash = new SipHash(new Uint8Array(16));

  constructor(options: AuthenticationOptions = {}) {
    const {
      realms = ['example.com', 'example.org'],
      users = { alice: 'secret', bob: 'hidden' },
      others = {},
    } = options;
    this.users = new TestUsers(realms, users, others);
    this.authenticator = new Authenticator({
      secret: SECRET,
      nonceStart: 0,
      life: 1,
      ...options,
      policy: { ...DEFAULT_AUTH_POLICY, ...options.policy },
      realms,
      users: this.users,
    });
  }

  ask(asking: Asking = {}): Verdict {
    const { exchange } = this;
    const bytes = Buffer.from(message(asking), 'latin1');
    slab.set(bytes, 0);
    if (parse(0, bytes.length) !== E_OK) throw new Error('the test sent a malformed message');
    const { aor } = this;
    const length = canonicalAor(slab, table, T_TO, aor);
    this.aorHash.begin();
    this.aorHash.span(aor, 0, length);
    this.aorHash.end();
    exchange.reset();
    exchange.request.now = this.now;
    exchange.request.peers.family[0] = 4;
    const status = this.authenticator.authenticate(exchange, this.aorHash.out, aor, length);
    const { answer } = exchange.result;
    const text = Buffer.from(answer.bytes.subarray(answer.from, answer.at)).toString('latin1');
    if (status > 0 && !text.startsWith(`SIP/2.0 ${status} `)) throw new Error(`said ${status}, wrote ${text}`);
    if (status <= 0 && text !== '')
      throw new Error(`status ${status === AUTH_PENDING ? 'pending' : status}, wrote ${text}`);
    const challenges = [...text.matchAll(/^WWW-Authenticate: (.*)\r$/gm)].map(([, value]) => value);
    const nonce = /nonce="([^"]*)"/.exec(challenges[0] ?? '')?.[1] ?? '';
    return { status, outcome: this.authenticator.outcome, text, challenges, nonce, stale: /stale=true/.test(text) };
  }

  /** Decides once more about the request that is in the table: nothing but that, to be timed. */
  again(): number {
    this.exchange.reset();
    this.exchange.request.now = this.now;
    return this.authenticator.authenticate(
      this.exchange,
      this.aorHash.out,
      this.aor,
      canonicalAor(slab, table, T_TO, this.aor),
    );
  }

  /** A nonce as the next challenge gives it. */
  nonce(asking: Asking = {}): string {
    return this.ask({ ...asking, rows: [] }).nonce;
  }

  /** Asks with credentials; a nonce is fetched unless one is given. */
  login(login: Partial<Login> = {}, asking: Asking = {}): Verdict {
    const nonce = login.nonce ?? this.nonce(asking);
    const { method, body } = asking;
    const full: Login = { qop: 'auth', ...(method && { method }), ...(body && { body }), ...login, nonce };
    return this.ask({ ...asking, rows: [authorization(full)] });
  }
}

function message(asking: Asking): string {
  const {
    method = 'REGISTER',
    requestUri = 'sip:example.com',
    to = 'sip:alice@example.com',
    body = '',
    rows = [],
  } = asking;
  return [
    `${method} ${requestUri} SIP/2.0`,
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    `From: <${to}>;tag=1`,
    `To: <${to}>`,
    'Call-ID: call',
    `CSeq: 1 ${method}`,
    ...rows.map((row) => `Authorization: ${row}`),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
