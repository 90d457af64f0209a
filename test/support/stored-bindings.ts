// What a location store holds, decoded: for tests that compare it with what clients were told.

import {
  callIdEnd,
  cseqOf,
  expiresAtOf,
  imageLength,
  instanceAt,
  instanceEnd,
  ipAt,
  isImage,
  paramsEnd,
  pathEnd,
  portOf,
  refreshedAtOf,
  regIdOf,
  uriAt,
  uriEnd,
  userAgentEnd,
} from '../../src/core/binding/binding.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../src/location/record.ts';

export interface StoredBinding {
  readonly uri: string;
  readonly callId: string;
  readonly cseq: number;
  readonly path: string;
  /** Where it was registered from, IPv4: address and port. */
  readonly source: string;
  /** Empty where there is none. */
  readonly instance: string;
  /** 0 where the binding is no flow. */
  readonly regId: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  readonly refreshedAt: number;
}

/** By canonical AOR, in the order stored. Throws where a record holds anything but whole images. */
export function storedBindings(store: LocationStore): Map<string, StoredBinding[]> {
  const all = new Map<string, StoredBinding[]>();
  store.scan((_key, record) => {
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
    const images = RECORD_HEADER_BYTES + recordAorLength(bytes, 0);
    const aor = textOf(bytes, RECORD_HEADER_BYTES, images);
    if (all.has(aor)) throw new Error(`two records for ${aor}`);
    const list: StoredBinding[] = [];
    for (let at = images; at < bytes.length; at += imageLength(bytes, at)) {
      if (!isImage(bytes, at, bytes.length)) throw new Error(`no image at ${at} of ${aor}`);
      list.push({
        uri: textOf(bytes, uriAt(bytes, at), uriEnd(bytes, at)),
        callId: textOf(bytes, paramsEnd(bytes, at), callIdEnd(bytes, at)),
        cseq: cseqOf(bytes, at),
        source: `${bytes.subarray(ipAt(at), ipAt(at) + 4).join('.')}:${portOf(bytes, at)}`,
        path: textOf(bytes, userAgentEnd(bytes, at), pathEnd(bytes, at)),
        instance: textOf(bytes, instanceAt(bytes, at), instanceEnd(bytes, at)),
        regId: regIdOf(bytes, at),
        expiresAt: expiresAtOf(bytes, at),
        refreshedAt: refreshedAtOf(bytes, at),
      });
    }
    if (list.length === 0) throw new Error(`a record without bindings: ${aor}`);
    all.set(aor, list);
  });
  return all;
}

function textOf(bytes: Buffer, at: number, end: number): string {
  return bytes.toString('latin1', at, end);
}
