// Reads of an LMDB environment by one thread, each in a snapshot that ends with it. A thread that never returns to its event loop must
// see to that itself: a snapshot left open keeps old pages from being used again, and hides what other processes write.

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

  /** Copies the value of a key into `into`, where it fits; its length, -1 where there is none. */
  read(key: Uint8Array, into: Uint8Array): number {
    // A shared buffer whose length is faked: nothing but subarray and set may touch it, and only until the next read.
    const shared = this.db.getBinaryFast(key, this.reading);
    let length = -1;
    if (shared !== undefined) {
      length = shared.length;
      if (length <= into.length) into.set(shared.subarray(0, length));
    }
    native.resetTxn(this.snapshot.address);
    return length;
  }

  /** Values, of whichever keys. */
  get count(): number {
    return (this.db.getStats() as { readonly entryCount: number }).entryCount;
  }

  /** The environment stays open. */
  close(): void {
    this.snapshot.done();
  }

  /** With the environment. */
  closeAll(): void {
    this.close();
    void this.db.close();
  }
}
