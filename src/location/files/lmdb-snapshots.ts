// Reads of an LMDB environment by one thread, each in a snapshot that ends with the read. A thread that never returns to its event loop must end
// snapshots itself: an open one keeps old pages in use, and hides the writes of other processes.

import * as lmdb from 'lmdb';

interface ReadTransaction extends lmdb.Transaction {
  readonly address: number;
}

/** An environment with keys and values of bytes. */
export type BytesDatabase = lmdb.RootDatabase<Buffer, Uint8Array> & {
  getBinaryFast(key: Uint8Array, options: { readonly transaction: lmdb.Transaction }): Buffer | undefined;
};

const native = (lmdb as unknown as { readonly nativeAddon: { resetTxn(address: number): void } }).nativeAddon;

export class LmdbSnapshots {
  private readonly db: BytesDatabase;
  private readonly snapshot: ReadTransaction;
  private readonly reading: { readonly transaction: lmdb.Transaction };

  constructor(db: BytesDatabase) {
    this.db = db;
    this.snapshot = db.useReadTransaction() as ReadTransaction;
    this.reading = { transaction: this.snapshot };
    native.resetTxn(this.snapshot.address);
  }

  /** Copies the value of a key into `into`, if it fits. Returns its length, -1 if there is none. */
  read(key: Uint8Array, into: Uint8Array): number {
    // A shared buffer with a false length: only subarray and set may use it, and only until the next read.
    const shared = this.db.getBinaryFast(key, this.reading);
    let length = -1;
    if (shared !== undefined) {
      length = shared.length;
      if (length <= into.length) into.set(shared.subarray(0, length));
    }
    native.resetTxn(this.snapshot.address);
    return length;
  }

  /** Number of values, of all keys. */
  get count(): number {
    return (this.db.getStats() as { readonly entryCount: number }).entryCount;
  }

  /** Closes the reader; the environment stays open. */
  close(): void {
    this.snapshot.done();
  }

  /** Closes the reader and the environment. */
  closeAll(): void {
    this.close();
    void this.db.close();
  }
}
