// Names of the notifier in dialogs: the instance in its GRUU (RFC 6665 §4.5.1), the same in all lives of a shard, and its tags.

import { deriveKey } from '../../core/auth/derived-key.ts';

/** @param secret of the data directory, 32 bytes */
export function notifierInstance(secret: Uint8Array): string {
  const digits = Buffer.from(deriveKey(secret, 'reg-event notifier')).toString('hex');
  return `urn:uuid:${[8, 12, 16, 20, 32].map((end, i, ends) => digits.slice(i === 0 ? 0 : ends[i - 1], end)).join('-')}`;
}

/** @param high, low of the request that makes the dialog: a copy of it draws the same tag */
export function notifierTag(high: number, low: number): string {
  return hex(high) + hex(low);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
