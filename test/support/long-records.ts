// AORs with records so long that few of them make a batch.

import { RECORD_BYTES_MAX } from '../../src/location/record.ts';
import { BATCH_BYTES } from '../../src/location/write-set.ts';

/** Bytes of records that a batch has at most where nobody asked for them: what it may begin one more record at, and that record. */
export const LONG_BATCH = BATCH_BYTES + RECORD_BYTES_MAX;

/** Seven contacts of 1.8 KB each. */
export function longContacts(user: string): string[] {
  return Array.from({ length: 7 }, (_, i) => `<sip:${user}@192.0.2.1:${6000 + i};x=${'y'.repeat(1800)}>`);
}
