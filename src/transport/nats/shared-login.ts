// The login for the NATS servers, in memory that threads share: the main thread reads the credentials file again and again; a thread
// uses the current login for its next connection.

import type { NatsLogin } from './nats-login.ts';

const SLOT_BYTES = 32 << 10;
/** Number of the valid slot (of two), and behind it their lengths. */
const HEAD_WORDS = 4;
const HEAD_BYTES = HEAD_WORDS * 4;

export function createLoginMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + 2 * SLOT_BYTES);
}

export class SharedLogin {
  private readonly head: Int32Array;
  private readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.head = new Int32Array(memory, 0, HEAD_WORDS);
  }

  /** Throws a RangeError where it is longer than 32 KiB. */
  set(login: NatsLogin): void {
    const bytes = new TextEncoder().encode(JSON.stringify(login));
    if (bytes.length > SLOT_BYTES) throw new RangeError('the NATS credentials are longer than 32 KiB');
    const next = 1 - Atomics.load(this.head, 0); // no thread reads it
    this.slot(next, SLOT_BYTES).set(bytes);
    this.head[1 + next] = bytes.length;
    Atomics.store(this.head, 0, next);
  }

  /** The login of the last `set`; at first kind `none`. */
  get(): NatsLogin {
    const slot = Atomics.load(this.head, 0);
    const length = this.head[1 + slot];
    if (length === 0) return { kind: 'none' };
    return JSON.parse(Buffer.from(this.slot(slot, length)).toString('utf8')) as NatsLogin;
  }

  private slot(slot: number, length: number): Uint8Array {
    return new Uint8Array(this.memory, HEAD_BYTES + slot * SLOT_BYTES, length);
  }
}
