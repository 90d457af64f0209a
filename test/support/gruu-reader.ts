// What a lookup does with a GRUU: reads it, and gives the stored bindings that it leads to. For tests.

import { imageLength } from '../../src/core/binding/binding.ts';
import { GRUU_TEMPORARY, Gruus } from '../../src/core/register/gruu.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../src/location/record.ts';
import { URI_INTS } from '../../src/sip/parser/span-table.ts';
import { canonicalAor, parseUri } from '../../src/sip/uri/uri.ts';
import { type StoredBinding, storedBindings } from './stored-bindings.ts';
import { VIRTUAL_SECRET, type VirtualShard } from './virtual-shard.ts';

export class GruuReader {
  /** GRUU_* of the URI looked up last. */
  kind = -1;
  private readonly shard: VirtualShard;
  private readonly gruus: Gruus;

  constructor(shard: VirtualShard, gruus = new Gruus(VIRTUAL_SECRET)) {
    this.shard = shard;
    this.gruus = gruus;
  }

  /** Throws where the URI is malformed. */
  lookup(uri: string): StoredBinding[] {
    const { gruus } = this;
    const bytes = Buffer.from(uri, 'latin1');
    const record = new Int32Array(URI_INTS);
    if (parseUri(bytes, 0, bytes.length, record, 0) !== 0) throw new Error(`not a URI: ${uri}`);
    this.kind = gruus.read(bytes, record, 0);
    const into = new Uint8Array(256);
    const own = Buffer.from(into.subarray(0, Math.max(0, canonicalAor(bytes, record, 0, into)))).toString('latin1');
    const found: StoredBinding[] = [];
    const stored = storedBindings(this.shard.store);
    this.shard.store.scan((key, row) => {
      const bytesOfRow = Uint8Array.from(row);
      let image = RECORD_HEADER_BYTES + recordAorLength(bytesOfRow, 0);
      const aor = Buffer.from(bytesOfRow.subarray(RECORD_HEADER_BYTES, image)).toString('latin1');
      const words = new Uint32Array(Uint8Array.from(key).buffer);
      const isMine = this.kind === GRUU_TEMPORARY ? words.join() === gruus.aorKey.join() : aor === own;
      for (const binding of isMine ? (stored.get(aor) ?? []) : []) {
        if (gruus.leadsTo(bytesOfRow, image) && binding.expiresAt > this.shard.now) found.push(binding);
        image += imageLength(bytesOfRow, image);
      }
    });
    return found;
  }
}
