// Entries of a frame without a row (log-frame.ts has their words). In a node's own log they name the last applied message of the shard's stream; in
// the stream they name the writer of a frame. Without a cluster no frame has any.

/** In a node's own log: the frame applies this message of the stream. */
export const CONTROL_APPLIED = 1;
/** In the stream, the first entry of each frame. */
export const CONTROL_HEAD = 2;
/** In the stream: from here on frames are written by the node that the head names. */
export const CONTROL_CLAIM = 3;
/** In the stream: the owner has stopped writing, and another node must claim. */
export const CONTROL_HANDOVER = 4;

/** Position up to which a stream has been applied, and the shard's owner at it. */
export interface Applied {
  /** Sequence of the message in the stream; 0 before the first. */
  readonly sequence: number;
  /** Number of the claim in force; 0 before the first. */
  readonly epoch: number;
  /** Node that made the claim, and its life. */
  readonly node: number;
  readonly life: number;
  /** Checksum of the frame: the next frame names it as its predecessor's. */
  readonly sum: number;
  /** Time at which the owner wrote it, epoch ms. */
  readonly time: number;
}

export function appliedWords({ sequence, epoch, node, life, sum, time }: Applied): number[] {
  return [...twoWords(sequence), epoch, node, life, sum, ...twoWords(time)];
}

/** @param w of a sound control entry CONTROL_APPLIED */
export function readApplied(words: Uint32Array, w: number): Applied {
  const at = contentAt(w);
  return {
    sequence: ofTwoWords(words, at),
    epoch: words[at + 2],
    node: words[at + 3],
    life: words[at + 4],
    sum: words[at + 5],
    time: ofTwoWords(words, at + 6),
  };
}

export function controlType(words: Uint32Array, w: number): number {
  return words[w];
}

/** Start of a control entry's content. */
export function contentAt(w: number): number {
  return w + 2;
}

export function twoWords(number: number): [number, number] {
  return [number % 4294967296, Math.floor(number / 4294967296)];
}

export function ofTwoWords(words: Uint32Array, at: number): number {
  return words[at + 1] * 4294967296 + words[at];
}
