// The table's fields for a record that a batch writes: the number of bindings, the first expiry, and for an only
// binding all that a plain refresh changes and compares. @hot

import { describeImage } from '../core/binding/binding.ts';
import type { Identity } from '../core/binding/identity.ts';
import { countImages, firstExpiry } from '../core/binding/images.ts';
import { KEPT_NEVER } from '../core/binding/sleep.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../location/record.ts';
import { RowCopy } from '../location/table/binding-row.ts';
import type { WriteSet } from '../location/write-set.ts';

export class RecordDescriber {
  private readonly identity: Identity;
  private readonly row = new RowCopy();
  /** Time that sleeping bindings are kept after their expiry; KEPT_NEVER: they are not kept. */
  dormantMs = KEPT_NEVER;

  constructor(identity: Identity) {
    this.identity = identity;
  }

  /**
   * Sets the fields of an entry's record in the working set.
   * @param newImageAt offset in its bytes of the image that the module wrote last; negative: none
   */
  describe(writes: WriteSet, entry: number, newImageAt = -1): void {
    const { row, identity } = this;
    const { bytes } = writes;
    const end = writes.end[entry];
    const images = writes.at[entry] + RECORD_HEADER_BYTES + recordAorLength(bytes, writes.at[entry]);
    const bindings = countImages(bytes, images, end);
    if (bindings !== 1 || !describeImage(bytes, images, row)) {
      writes.describe(entry, bindings > 0 ? bindings : 1, firstExpiry(bytes, images, end, this.dormantMs));
      return;
    }
    if (images === newImageAt) identity.computeWritten();
    else identity.compute(bytes, images);
    row.identityHigh = identity.high;
    row.identityLow = identity.low;
    writes.describePlain(entry, row);
  }
}
