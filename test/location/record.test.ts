// Sealing and opening records: any damage is seen.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  openRecord,
  RECORD_HEADER_BYTES,
  recordAorLength,
  sealRecord,
  setRecordAorLength,
} from '../../src/location/record.ts';

function recordOf(aor: string, images: Uint8Array, at = 0): Uint8Array {
  const text = new TextEncoder().encode(aor);
  const bytes = new Uint8Array(at + RECORD_HEADER_BYTES + text.length + images.length);
  setRecordAorLength(bytes, at, text.length);
  bytes.set(text, at + RECORD_HEADER_BYTES);
  bytes.set(images, at + RECORD_HEADER_BYTES + text.length);
  sealRecord(bytes, at, bytes.length);
  return bytes;
}

describe('record', () => {
  it('opens what was sealed, at any offset', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 600 }), fc.nat(9), (aor, images, at) => {
        const bytes = recordOf(aor, images, at);
        expect(openRecord(bytes, at, bytes.length)).toBe(true);
        expect(recordAorLength(bytes, at)).toBe(new TextEncoder().encode(aor).length);
      }),
    );
  });

  it('sees every flipped bit, every cut and every appended byte', () => {
    const bytes = recordOf(
      'alice@example.org',
      Uint8Array.from({ length: 61 }, (_, i) => i),
    );
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      expect(openRecord(bytes, 0, bytes.length)).toBe(false);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    for (let end = 0; end < bytes.length; end++) expect(openRecord(bytes, 0, end)).toBe(false);
    for (const extra of [0, 1, 255]) {
      const longer = Uint8Array.from([...bytes, extra]);
      expect(openRecord(longer, 0, longer.length)).toBe(false);
    }
    expect(openRecord(bytes, 0, bytes.length + 1)).toBe(false);
    expect(openRecord(bytes, 0, bytes.length)).toBe(true);
  });

  it('refuses an AOR longer than the record', () => {
    const bytes = new Uint8Array(20);
    setRecordAorLength(bytes, 0, 13);
    sealRecord(bytes, 0, 20);
    expect(openRecord(bytes, 0, 20)).toBe(false);
  });
});
