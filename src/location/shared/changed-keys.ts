// Keys of AORs whose record was replaced or removed: sent by a shard, in shared memory, to the thread that keeps the read model. One writer, one
// reader, no locks. A refresh that changes the row alone is not sent. @hot

const HEAD = 0;
const TAIL = 16; // in a cache line of its own
const LOST = 32;
const HEADER_INTS = 48;
const KEY_WORDS = 4;

/** Keys that may wait: those of five seconds at 50,000 changes a second. */
const CAPACITY = 1 << 18;

/** @param capacity a power of two */
export function createChangedKeys(capacity = CAPACITY): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER_INTS + capacity * KEY_WORDS) * 4);
}

export class ChangedKeys {
  private readonly words: Int32Array;
  private readonly mask: number;
  private readonly ring: () => void;
  /** Position after the newest key; the reader sees it at `flush`. */
  private head: number;
  private isLost = false;

  /** @param ring wakes the reader, if it sleeps */
  constructor(memory: SharedArrayBuffer, ring: () => void) {
    this.words = new Int32Array(memory);
    this.mask = (this.words.length - HEADER_INTS) / KEY_WORDS - 1;
    this.head = this.words[HEAD];
    this.ring = ring;
  }

  /** Adds the key whose four words are at rows[at …]. A reader that is too far behind is told that keys are lost. */
  add(rows: Uint32Array, at: number): void {
    const { words, head } = this;
    if (((head - Atomics.load(words, TAIL)) | 0) > this.mask) {
      this.isLost = true;
      return;
    }
    const to = HEADER_INTS + (head & this.mask) * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) words[to + i] = rows[at + i];
    this.head = (head + 1) | 0;
  }

  /** Publishes the keys, once the table has the changes. A reader that saw them earlier would read the old record. */
  flush(): void {
    const { words } = this;
    if (this.head === words[HEAD] && !this.isLost) return;
    if (this.isLost) Atomics.store(words, LOST, 1);
    this.isLost = false;
    Atomics.store(words, HEAD, this.head);
    this.ring();
  }
}

export class ChangedKeysReader {
  private readonly words: Int32Array;
  private readonly mask: number;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
    this.mask = (this.words.length - HEADER_INTS) / KEY_WORDS - 1;
  }

  get empty(): boolean {
    return this.words[TAIL] === Atomics.load(this.words, HEAD);
  }

  /** Copies the oldest key; false: there is none. */
  next(into: Uint32Array): boolean {
    const { words } = this;
    if (this.empty) return false;
    const tail = words[TAIL];
    const from = HEADER_INTS + (tail & this.mask) * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) into[i] = words[from + i];
    Atomics.store(words, TAIL, (tail + 1) | 0);
    return true;
  }

  /** Whether keys were lost since the last call. */
  tookLost(): boolean {
    return Atomics.exchange(this.words, LOST, 0) === 1;
  }
}
