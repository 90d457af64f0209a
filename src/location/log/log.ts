// What the location store asks of the log beneath it: generations of frames, appended, read by place, dropped whole. What frames
// say is log-frame's; what is worth keeping, the cleaner's. No clock and no disk is known above this interface.

/** `durable`: on disk before settle returns. `process`: handed to the kernel, so it survives the process, not the power. */
export type Durability = 'durable' | 'process';

/** A frame of a generation, as far as its header claims: whether its bytes are sound, their reader tells. */
export interface FrameFound {
  /** Where it stands in the order of all frames. */
  readonly address: number;
  /** Where its first byte lies. */
  readonly place: number;
  readonly length: number;
}

/** Bytes by their place; generation of a place or an address: divided by `generationBytes`. */
export interface LogSource {
  readonly generationBytes: number;
  /**
   * Reads up to `length` bytes at a place into into[at …]; returns how many there were: none of a generation that was dropped.
   * Throws the disk's error.
   */
  read(place: number, into: Uint8Array, at: number, length: number): number;
}

/** What the log found that it does not read, or does not find, when it was opened. */
export interface LogProblems {
  /** Files that do not belong to it: where they are now. */
  readonly aside: readonly string[];
  /** A file whose making a crash cut off, and which is gone now: nothing was in it. */
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
 * An address is the order of a frame: generation * generationBytes + the bytes of the frames before it in its generation. A place is
 * where bytes lie: generation * generationBytes + an offset in what keeps that generation. Both are below 2^53, multiples of 8.
 */
export interface Log extends LogSource {
  /** Numbers, oldest first; the last one is appended to, if any. A number may be missing. */
  readonly generations: readonly number[];
  readonly problems: LogProblems;
  /** Address of the next frame, unless `place` says that it begins a generation. */
  readonly head: number;
  /** Address of the last frame. */
  readonly last: number;
  /** Address of the oldest byte kept. */
  readonly tail: number;
  /** Bytes that generations take on disk. */
  readonly bytes: number;
  /** Bytes that a generation has, about, when the next one begins: at most what its addresses span. */
  readonly fullBytes: number;

  /** Called once by the reader of the frames, before anything is appended. */
  resume(head: number, last: number): void;

  /**
   * The first frame at or behind a place, in its generation and in the order of places, which need not be that of addresses; null
   * where there is no more.
   * @param unreadable is told of each piece that was passed over, as the disk does not give it
   */
  find(place: number, unreadable?: (place: number) => void): FrameFound | null;

  /**
   * Address of a frame up to which all frames of a generation are known to have been settled; -1 where nothing is known. Of the newest
   * generation a later frame may be a batch that was being written.
   */
  settled(generation: number): number;

  /**
   * Address of the last frame settled before a generation was begun, as that says itself; -1 where there was none, undefined where it is
   * not known. What lies behind that one in generations before was refused.
   */
  before(generation: number): number | undefined;

  /** Address of the next frame, if it has so many bytes. */
  place(length: number): number;

  /**
   * Hands over bytes[0, length), a frame at the address that `place` gave; it holds when `settle` has returned. Throws with nothing
   * appended.
   */
  append(bytes: Uint8Array, length: number, address: number): void;

  /**
   * Makes what was appended hold, as durably as the log promises, and returns the place of the frame appended last. Throws where
   * that is not certain: then nothing was appended, and the next frame begins a generation.
   * @param lasting false: nobody is told of it, so the next settle that lasts is soon enough
   */
  settle(lasting: boolean): number;

  /** Makes all that was settled hold through a cut of power, whatever the log promises; throws where it cannot. */
  sync(): void;

  /** The file of a place or an address, for messages. */
  fileAt(place: number): string;

  /** Keeps a copy of bytes that are damaged, outside the log, which will drop them. Best effort. */
  setAside(place: number, length: number): void;

  /** Drops the oldest generation, which nothing needs any more. */
  dropTail(): void;

  close(): void;
}
