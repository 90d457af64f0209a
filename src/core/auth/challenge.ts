// The WWW-Authenticate rows of a 401 (RFC 3261 §20.44, RFC 7616 §3.3, RFC 8760 §2.3): one per algorithm, the preferred one
// first, the same nonce in each. Constant parts are made beforehand. Never Basic.
// @hot

import { ALG_BASE_MASK, ALG_MD5, ALG_SESS, ALG_SHA_256, ALG_SHA_512_256 } from '../../sip/credentials.ts';
import { ascii } from '../../sip/writer.ts';
import type { ExchangeResult } from '../uas/exchange.ts';
import { fits } from '../uas/response.ts';
import type { AlgorithmName, AuthPolicy } from './auth-policy.ts';
import { NONCE_CHARS } from './nonce.ts';

const ALGORITHMS: Readonly<Record<AlgorithmName, number>> = {
  MD5: ALG_MD5,
  'SHA-256': ALG_SHA_256,
  'SHA-512-256': ALG_SHA_512_256,
  'MD5-sess': ALG_MD5 | ALG_SESS,
  'SHA-256-sess': ALG_SHA_256 | ALG_SESS,
  'SHA-512-256-sess': ALG_SHA_512_256 | ALG_SESS,
};

const HEAD = ascii('WWW-Authenticate: Digest realm="');
const NONCE = ascii('", nonce="');
const STALE = ascii(', stale=true');
const CRLF = ascii('\r\n');

export class Challenges {
  /** ALG_* offered, in order. */
  private readonly algorithms: readonly number[];
  /** By position in `algorithms`: the text behind the nonce. */
  private readonly tails: readonly Uint8Array[];
  /** By realm: the text before the nonce. */
  private readonly heads: readonly Uint8Array[];
  readonly opaque: string;
  /** The realm for requests that name none of the served ones. */
  readonly firstRealm: Uint8Array;
  /** Bit by ALG_*: offered. */
  private readonly offered: number;

  /**
   * @param realms by their index; "*" among them: other realms are served, too
   * @param opaque characters that need no escape
   */
  constructor(policy: AuthPolicy, realms: readonly string[], opaque: string) {
    this.opaque = opaque;
    const extra = policy.userhash ? ', userhash=true' : '';
    this.algorithms = policy.algorithms.map((name) => ALGORITHMS[name]);
    this.tails = policy.algorithms.map((name) =>
      ascii(`", opaque="${opaque}", qop="${policy.qop}", algorithm=${name}${extra}`),
    );
    const named = realms.filter((name) => name !== '*');
    this.firstRealm = ascii(named[0] ?? 'sip');
    this.heads = named.map((realm) => ascii(`WWW-Authenticate: Digest realm="${realm}", nonce="`));
    this.offered = this.algorithms.reduce((bits, algorithm) => bits | (1 << algorithm), 0);
  }

  /** Whether credentials with this algorithm (ALG_*) may answer one of the challenges. */
  offers(algorithm: number): boolean {
    return algorithm >= 0 && (this.offered & (1 << algorithm)) !== 0;
  }

  /**
   * Writes the rows: the first one always, the others while the answer can hold them.
   * @param realm index of the realm; where it is none of the fixed ones, its text is realmText[0, realmLength)
   * @param nonce NONCE_CHARS characters
   * @param usable base algorithms (bit 1 << ALG_*) that users can answer with; rows for others are left out, unless none
   *   would be left
   */
  write(
    result: ExchangeResult,
    realm: number,
    realmText: Uint8Array,
    realmLength: number,
    nonce: Uint8Array,
    stale: boolean,
    usable: number,
  ): void {
    const { algorithms, heads, tails } = this;
    const w = result.answer;
    let written = 0;
    let any = false;
    for (let i = 0; i < algorithms.length; i++) any ||= isUsable(algorithms[i], usable);
    for (let i = 0; i < algorithms.length; i++) {
      if (any && !isUsable(algorithms[i], usable)) continue;
      const at = w.at;
      if (realm < heads.length) w.text(heads[realm]);
      else {
        w.text(HEAD);
        w.span(realmText, 0, realmLength);
        w.text(NONCE);
      }
      w.span(nonce, 0, NONCE_CHARS);
      w.text(tails[i]);
      if (stale) w.text(STALE);
      w.text(CRLF);
      if (written++ === 0 || fits(result)) continue;
      w.at = at;
      return;
    }
  }
}

function isUsable(algorithm: number, usable: number): boolean {
  return (usable & (1 << (algorithm & ALG_BASE_MASK))) !== 0;
}
