// The Warning of a refusal, if the policy has it on (RFC 3261 §20.43): the reason code of logs and metrics, for the reader of a
// phone's trace. It adds nothing secret to the status: an unknown user and a wrong password have the same one.
// @hot

import { ascii, type Writer } from '../../sip/writer.ts';
import { REASON_NAMES } from './reasons.ts';

const SAME = 'wrong_credentials';
const ALIKE = ['unknown_user', 'wrong_response', 'users_pending'];

/** By reason; null where no reason was given. */
const LINES: readonly (Uint8Array | null)[] = REASON_NAMES.map((name) =>
  name === 'unspecified' ? null : ascii(`Warning: 399 aorta "${ALIKE.includes(name) ? SAME : name}"\r\n`),
);

export function writeWarning(w: Writer, reason: number): void {
  const line = LINES[reason];
  if (line !== null && line !== undefined) w.text(line);
}
