// Contract between the location store and its log: generations of frames, appended, read by place, dropped whole. log-frame defines the content of
// frames; the cleaner decides which records stay. Code above this interface has no clock and no disk.

/** `durable`: on disk before settle returns. `process`: handed to the kernel, so it survives a crash of the process, but not a power cut. */
export type Durability = 'durable' | 'process';

/** A frame of a generation, as its header claims: the reader of its bytes checks whether they are sound. */
export interface FrameFound {
  /** Position in the order of all frames. */
  readonly address: number;
  /** Place of its first byte. */
  readonly place: number;
  readonly length: number;
}

/** Reads bytes by their place. A place or an address divided by `generationBytes` is the number of its generation. */
export interface LogSource {
  readonly generationBytes: number;
  /**
   * Reads up to `length` bytes at a place into into[at …]; returns the number of bytes read: 0 for a dropped generation.
   * Throws the disk's error.
   */
  read(place: number, into: Uint8Array, at: number, length: number): number;
}

/** Foreign and missing files that the log found when it was opened. */
export interface LogProblems {
  /** New paths of files that do not belong to it. */
  readonly aside: readonly string[];
  /** Removed files whose creation a crash had interrupted: they were empty. */
  readonly unfinished: readonly string[];
  /** Numbers of generations that should be there. */
  readonly missing: readonly number[];
}

/** For readers in other threads. */
export interface SharedLogSource extends LogSource {
  /** Generations before this one are gone. */
  drop?(tail: number): void;
  close(): void;
}

/**
 * An address is the position of a frame in the order: generation * generationBytes + the bytes of the frames before it in its
 * generation. A place is the position of bytes: generation * generationBytes + an offset in the generation's file. Both are below
 * 2^53, multiples of 8.
 */
export interface Log extends LogSource {
  /** Of this log alone: another one in the same directory has another name. */
  readonly name: string;
  /** Numbers, oldest first; the last one is appended to, if any. A number may be missing. */
  readonly generations: readonly number[];
  readonly problems: LogProblems;
  /** Address of the next frame, unless `place` says that it begins a generation. */
  readonly head: number;
  /** Address of the last frame. */
  readonly last: number;
  /** Address of the oldest byte kept. */
  readonly tail: number;
  /**
   * Address of the last frame when a generation was dropped last: live records of that generation may be in any frame up to this one. 0:
   * none was ever dropped; Infinity: unknown.
   */
  readonly droppedAt: number;
  /** Bytes of all generations on disk. */
  readonly bytes: number;
  /** Approximate bytes of a generation when the next one begins: at most the span of its addresses. */
  readonly fullBytes: number;

  /**
   * Called once by the reader of the frames, before anything is appended.
   * @param certain address of the last frame that had lasted for certain, as the next generation will name it
   */
  resume(head: number, last: number, certain: number): void;

  /**
   * Ends the log after a frame, before it is resumed there: later generations are set aside. The next frame begins another one.
   * @param address of the frame; -1: no frame counts
   */
  endBehind(address: number): void;

  /**
   * The first frame at or after a place, in its generation and in the order of places, which need not be that of addresses; null:
   * there is none.
   * @param unreadable gets the place of each unreadable piece that was skipped
   */
  find(place: number, unreadable?: (place: number) => void): FrameFound | null;

  /**
   * Address of a frame up to which all frames of a generation are known to last; -1: unknown. A later frame of the newest generation may be a
   * batch that was being written, or one that need not last.
   */
  settled(generation: number): number;

  /**
   * Address of the last frame settled before a generation was begun, as the generation names it; -1: there was none, undefined: unknown.
   * Later frames in the generations before were refused.
   */
  before(generation: number): number | undefined;

  /**
   * Of the frames before a generation, the last that had lasted for certain when it was begun; undefined: unknown. A power cut may have taken
   * later ones, none of which was acknowledged.
   */
  certain(generation: number): number | undefined;

  /** Address of the next frame, if it has `length` bytes. */
  place(length: number): number;

  /**
   * Hands over bytes[0, length), a frame at the address that `place` gave; it holds when `settle` has returned. Throws with nothing
   * appended.
   */
  append(bytes: Uint8Array, length: number, address: number): void;

  /**
   * Makes the appended frames hold, as durably as the log promises, and returns the place of the last one. Throws if that is not
   * certain: then nothing was appended, and the next frame begins a generation.
   * @param lasting false: no client gets an answer about it, so the next lasting settle is soon enough
   */
  settle(lasting: boolean): number;

  /** Makes all settled frames survive a power cut, with any durability; throws if it cannot. */
  sync(): void;

  /** The file of a place or an address, for messages. */
  fileAt(place: number): string;

  /** Keeps a copy of damaged bytes outside the log, which will drop them. Best effort. */
  setAside(place: number, length: number): void;

  /**
   * Drops the oldest generation, which is no longer needed.
   * @param lasting a cut of power leaves a log that knows of it, whatever durability the log has
   */
  dropTail(lasting: boolean): void;

  close(): void;
}
