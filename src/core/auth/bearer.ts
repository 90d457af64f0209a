// Access tokens in place of a digest (RFC 8898): transports that may carry them, the name of a token in a user lookup, and the
// challenge that offers them. The token's issuer decides whether it is good; the answer is looked up like a user.
// @hot

import { credentials } from '../../sip/credentials.ts';
import { C_RESPONSE_AT, C_RESPONSE_END } from '../../sip/parser/credential-spans.ts';
import { slab } from '../../sip/parser/slab.ts';
import { CLASS, EQUALS, TOKEN } from '../../sip/scanner.ts';
import { SipHash } from '../../sip/siphash.ts';
import { TRANSPORT_NAMES, type TransportName } from '../../sip/sources.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { fits } from '../uas/response.ts';
import { deriveKey } from './derived-key.ts';

/** Contents of token challenges, and limits of accepted tokens. */
export interface TokenOffer {
  /** Where clients obtain them: an https URI (RFC 8898 §2.2). */
  readonly authzServer: string;
  /** Scopes that a token must grant, divided by blanks; '': none. */
  readonly scope: string;
  /** Tokens are offered and accepted over these transports alone: any reader of a token can use it. */
  readonly transports: readonly TransportName[];
  /** Longer ones are refused unread. */
  readonly tokenBytesMax: number;
}

/** No digest user can have such a name: it cannot contain a colon (RFC 7616 §3.4.2). */
const PREFIX = ascii('bearer:');
const HEX_DIGITS = ascii('0123456789abcdef');
const NAME_BYTES = PREFIX.length + 32;
const SLASH = 0x2f;

const HEAD = ascii('WWW-Authenticate: Bearer realm="');
const INVALID = ascii(', error="invalid_token"');
const CRLF = ascii('\r\n');

export class BearerTokens {
  private readonly transports: number;
  private readonly tokenBytesMax: number;
  /** The challenge's text behind the realm. */
  private readonly tail: Uint8Array;
  private readonly hash: SipHash;
  private readonly end = new Float64Array(1);
  private readonly endBytes = new Uint8Array(this.end.buffer);

  /** @param secret 32 bytes, of the data directory */
  constructor({ authzServer, scope, transports, tokenBytesMax }: TokenOffer, secret: Uint8Array) {
    this.transports = transports.reduce((bits, name) => bits | (1 << TRANSPORT_NAMES.indexOf(name)), 0);
    this.tokenBytesMax = tokenBytesMax;
    this.tail = ascii(`", authz_server="${authzServer}"${scope === '' ? '' : `, scope="${scope}"`}`);
    this.hash = new SipHash(deriveKey(secret, 'access tokens'), 2, 4);
  }

  /** Whether the request came over a transport of the offer. */
  mayUse({ request }: Exchange): boolean {
    const { peers, peer } = request;
    return (this.transports & (1 << peers.transport[peer])) !== 0;
  }

  /**
   * Writes the name of the token in `credentials`: a keyed hash, so that no token is stored, nor found under another's name.
   * Returns its length; 0 where the text cannot be a token.
   */
  readName(into: Uint8Array): number {
    const at = credentials[C_RESPONSE_AT];
    const end = credentials[C_RESPONSE_END];
    if (end <= at || end - at > this.tokenBytesMax) return 0;
    for (let p = at; p < end; p++) {
      const byte = slab[p];
      if ((CLASS[byte] & TOKEN) === 0 && byte !== SLASH && byte !== EQUALS) return 0;
    }
    const { hash } = this;
    hash.begin();
    hash.span(slab, at, end);
    hash.end();
    into.set(PREFIX);
    for (let i = 0; i < 32; i++) into[PREFIX.length + i] = HEX_DIGITS[(hash.out[i >> 3] >>> (28 - 4 * (i & 7))) & 15];
    return NAME_BYTES;
  }

  /** Epoch ms up to which a token is valid. @param at its offset in `bytes`, as CredentialSource returns it */
  endOf(bytes: Uint8Array, at: number): number {
    for (let i = 0; i < 8; i++) this.endBytes[i] = bytes[at + i];
    return this.end[0];
  }

  /** Writes its row of a 401, where the answer has space for it. @param isRefused a token was sent and is invalid (RFC 6750 §3.1) */
  challenge(exchange: Exchange, realm: Uint8Array, realmLength: number, isRefused: boolean): void {
    const w = exchange.result.answer;
    const { at } = w;
    w.text(HEAD);
    w.span(realm, 0, realmLength);
    w.text(this.tail);
    if (isRefused) w.text(INVALID);
    w.text(CRLF);
    if (!fits(exchange.result)) w.at = at;
  }
}
