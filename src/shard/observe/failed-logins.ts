// A log line for each failed login, if the operator wants it (`auth: log-failures`). A user name is written only if that user
// exists, since it may be a mistyped password.

import type { Authenticator } from '../../core/auth/authenticator.ts';
import {
  AUTH_FOREIGN_NONCE,
  AUTH_IMPROPER,
  AUTH_NOT_ALLOWED,
  AUTH_NOT_OFFERED,
  AUTH_REPLAYED,
  AUTH_UNKNOWN_USER,
  AUTH_WRONG_RESPONSE,
} from '../../core/auth/outcome.ts';
import { ipText } from '../../sip/ip.ts';
import { aorText, shownText } from '../../sip/shown-text.ts';
import type { Peers } from '../../sip/sources.ts';
import type { AorState } from '../aor-state.ts';

export interface FailedLogin {
  readonly source: string;
  readonly port: number;
  readonly reason: string;
  /** The address-of-record of the request. */
  readonly aor: string | null;
  /** The user, if one has that name. */
  readonly user: string | null;
  /** Failed logins without a line of their own, since the line before. */
  readonly unlogged: number;
}

/** Maximum lines a second of a shard. */
const LINES_PER_S = 50;

const REASONS = new Map<number, string>([
  [AUTH_WRONG_RESPONSE, 'wrong-password'],
  [AUTH_UNKNOWN_USER, 'unknown-user'],
  [AUTH_NOT_ALLOWED, 'not-allowed'],
  [AUTH_REPLAYED, 'replayed'],
  [AUTH_FOREIGN_NONCE, 'foreign-nonce'],
  [AUTH_NOT_OFFERED, 'not-offered'],
  [AUTH_IMPROPER, 'improper-credentials'],
]);
const NAMED = new Set([AUTH_WRONG_RESPONSE, AUTH_NOT_ALLOWED, AUTH_REPLAYED, AUTH_FOREIGN_NONCE]);

export class FailedLogins {
  private readonly peers: Peers;
  private readonly report: (login: FailedLogin) => void;
  private second = 0;
  private lines = 0;
  private unlogged = 0;

  constructor(peers: Peers, report: (login: FailedLogin) => void) {
    this.peers = peers;
    this.report = report;
  }

  /** Logs a request of the peer in a row, by the authenticator's outcome AUTH_*. */
  note(authenticator: Authenticator, state: AorState, row: number, now: number): void {
    const reason = REASONS.get(authenticator.outcome);
    if (reason === undefined) return;
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.lines = 0;
    this.second = second;
    if (this.lines++ >= LINES_PER_S) {
      this.unlogged++;
      return;
    }
    const name = shownText(authenticator.name, 0, authenticator.nameLength);
    this.report({
      source: ipText(this.peers, row),
      port: this.peers.port[row],
      reason,
      aor: state.aorLength < 0 ? null : aorText(state.aor, 0, state.aorLength),
      user: NAMED.has(authenticator.outcome) ? name : null,
      unlogged: this.unlogged,
    });
    this.unlogged = 0;
  }
}
