// Records of the first format of data directories, which had one LMDB record per AOR. They are read once, for a move into
// a log, and never written.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { AOR_KEY_BYTES } from '../../location/aor-key-size.ts';
import { checkFile } from '../../location/files/lmdb-file.ts';
import type { ScanReport } from '../../location/location-store.ts';
import { openRecord, RECORD_BYTES_MAX, updateRecord } from '../../location/record.ts';
import type { RecordSource } from './move-bindings.ts';

export class LmdbRecords implements RecordSource {
  private readonly db: lmdb.RootDatabase<Buffer, Uint8Array> | null;

  /**
   * @param directory of the environment; without one there are no records
   * @throws Error naming the file, when it cannot be read
   */
  constructor(directory: string) {
    const file = join(directory, 'data.mdb');
    this.db = existsSync(file) ? open(directory, file) : null;
  }

  get aors(): number {
    const stats = this.db?.getStats() as { readonly entryCount: number } | undefined;
    return stats?.entryCount ?? 0;
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    const record = new Uint8Array(RECORD_BYTES_MAX);
    let records = 0;
    let quarantined = 0;
    for (const { key, value } of this.db?.getRange() ?? []) {
      if (key.length !== AOR_KEY_BYTES) continue; // set aside by an earlier start
      if (openRecord(value, 0, value.length)) {
        records++;
        record.set(value);
        visit(key, record.subarray(0, updateRecord(record, value.length)));
      } else quarantined++;
    }
    return { records, quarantined };
  }

  close(): void {
    void this.db?.close();
  }
}

function open(directory: string, file: string): lmdb.RootDatabase<Buffer, Uint8Array> {
  try {
    checkFile(file);
    return lmdb.open<Buffer, Uint8Array>({
      path: directory,
      noSubdir: false,
      readOnly: true,
      keyEncoding: 'binary',
      encoding: 'binary',
      cache: false,
      maxDbs: 1,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${file}: ${reason}`, { cause: error });
  }
}
