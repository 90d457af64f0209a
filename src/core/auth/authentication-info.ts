// The row Authentication-Info of a 200 (RFC 7616 §3.5). It has a nonce for the next request, if the current one will be too old then,
// and the proof that the server knows the password. Written from the credentials that let the request in.
// @hot

import { credentials, QOP_AUTH_INT, QOP_NONE } from '../../sip/credentials.ts';
import { C_ALGORITHM, C_CNONCE_AT, C_CNONCE_END, C_NC_AT, C_NC_END, C_QOP } from '../../sip/parser/credential-spans.ts';
import { slab } from '../../sip/parser/slab.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import type { AnswerInfo, Exchange } from '../uas/exchange.ts';
import type { AuthPolicy } from './auth-policy.ts';
import { digestBytes, responseOfServer } from './digest.ts';
import { NONCE_CHARS } from './nonce.ts';
import type { NonceUses } from './nonce-uses.ts';
import type { RequestRealm } from './request-realm.ts';

const HEAD = ascii('Authentication-Info: ');
const NEXT_NONCE = ascii('nextnonce="');
const QOP = ascii('qop=auth');
const INT = ascii('-int');
const RSPAUTH = ascii(', rspauth="');
const CNONCE = ascii('", cnonce="');
const NC = ascii('", nc=');
const BETWEEN = ascii(', ');
const QUOTE = ascii('"');
const CRLF = ascii('\r\n');

export class AuthenticationInfo implements AnswerInfo {
  private mode: AuthPolicy['authenticationInfo'] = 'off';
  private readonly uses: NonceUses;
  private readonly realm: RequestRealm;
  private readonly aorKey = new Uint32Array(4);

  constructor(uses: NonceUses, realm: RequestRealm) {
    this.uses = uses;
    this.realm = realm;
  }

  configure({ authenticationInfo }: AuthPolicy): void {
    this.mode = authenticationInfo;
  }

  /** For the answer to a request with right credentials; null where the row is off. @param aorKey the AOR of its nonces */
  about(aorKey: Uint32Array): AnswerInfo | null {
    if (this.mode === 'off') return null;
    for (let i = 0; i < 4; i++) this.aorKey[i] = aorKey[i];
    return this;
  }

  write(exchange: Exchange): void {
    const w = exchange.result.answer;
    const proves = this.mode === 'mutual' && credentials[C_QOP] !== QOP_NONE;
    const renews = this.uses.endsWithin(exchange.work.grantedS, exchange.request.now);
    if (!proves && !renews) return;
    w.text(HEAD);
    if (proves) prove(w);
    if (renews) {
      if (proves) w.text(BETWEEN);
      w.text(NEXT_NONCE);
      w.span(this.uses.issue(this.aorKey, this.realm.text, this.realm.length, exchange.request.now), 0, NONCE_CHARS);
      w.text(QUOTE);
    }
    w.text(CRLF);
  }
}

function prove(w: Writer): void {
  const c = credentials;
  w.text(QOP);
  if (c[C_QOP] === QOP_AUTH_INT) w.text(INT);
  w.text(RSPAUTH);
  w.span(responseOfServer(), 0, 2 * digestBytes(c[C_ALGORITHM]));
  w.text(CNONCE);
  w.span(slab, c[C_CNONCE_AT], c[C_CNONCE_END]);
  w.text(NC);
  w.span(slab, c[C_NC_AT], c[C_NC_END]);
}
