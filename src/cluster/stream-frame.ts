// A message of a shard's stream: a frame of the log's layout whose address is its sequence. Its head names its writer and the frame before, and a
// code proves it (decisions/0115). Written by FramePress, read by FrameReader.

import {
  type Applied,
  CONTROL_CLAIM,
  CONTROL_HANDOVER,
  CONTROL_HEAD,
  contentAt,
  controlType,
  ofTwoWords,
  twoWords,
} from '../location/log/control-entry.ts';
import { FrameWriter } from '../location/log/frame-writer.ts';
import {
  claimedAddress,
  claimedChecksum,
  ENTRY_CONTROL,
  entryKind,
  entryWords,
  FRAME_HEADER_BYTES,
  firstEntry,
  frameLength,
  frameTime,
  NO_FRAME,
  NO_PREVIOUS,
} from '../location/log/log-frame.ts';
import { RECORD_VERSION } from '../location/record.ts';
import { MAC_BYTES, type StreamMac } from './stream-mac.ts';

/** Kinds of frames. */
export const FRAME_BATCH = 1;
/** From this frame on its node is the owner. */
export const FRAME_CLAIM = 2;
/** No entries: its place in the stream proves that its node is still the owner. */
export const FRAME_PROOF = 3;
/** The owner has stopped writing. */
export const FRAME_HANDOVER = 4;
export type FrameKind = typeof FRAME_BATCH | typeof FRAME_CLAIM | typeof FRAME_PROOF | typeof FRAME_HANDOVER;

/** Format of frames that this program writes; a node reads frames up to its own level. It rises with the version of their records. */
export const FRAME_LEVEL = RECORD_VERSION - 2;

/** Words in the content of every head, and the words of a head with this content alone. */
const HEAD_CONTENT = 4;
const HEAD_WORDS = HEAD_CONTENT + 4;

/** Addresses are multiples of 8. */
const ADDRESS_PER_SEQUENCE = 8;

/** Builds a frame to publish, and seals it for its expected sequence. */
export class FramePress {
  readonly frame = new FrameWriter();
  /** The message: bytes[0, length). */
  bytes = new Uint8Array(1 << 12);
  length = 0;
  /** The sequence of its seal; 0: none. */
  sequence = 0;
  private readonly mac: StreamMac;
  private time = 0;

  constructor(mac: StreamMac) {
    this.mac = mac;
  }

  /**
   * Begins a frame of a node, the next after the applied one; entries follow.
   * @param epoch of the claim in force
   * @param change the newest number of a change that its node has given or received; 0: it keeps no changes
   */
  start({ sum }: Applied, epoch: number, node: number, life: number, now: number, change = 0): void {
    this.sequence = 0;
    this.time = now;
    this.frame.start();
    this.frame.control(CONTROL_HEAD, [epoch, node, life, sum, ...(change > 0 ? twoWords(change) : [])]);
  }

  claim(): void {
    this.frame.control(CONTROL_CLAIM, [FRAME_LEVEL]);
  }

  handover(node: number): void {
    this.frame.control(CONTROL_HANDOVER, [node]);
  }

  /** Makes the message. It may be sealed for another sequence while no server has stored it at the one before. */
  seal(sequence: number): void {
    if (this.sequence === sequence) return;
    const { frame } = this;
    if (this.sequence !== 0) frame.unseal();
    frame.seal(sequence * ADDRESS_PER_SEQUENCE, NO_PREVIOUS, this.time);
    this.sequence = sequence;
    this.length = frame.length + MAC_BYTES;
    if (this.bytes.length < this.length) this.bytes = new Uint8Array(this.length * 2);
    this.bytes.set(frame.bytes.subarray(0, frame.length));
    this.mac.seal(this.bytes, frame.length);
  }

  /** Whether bytes[0, length) are the message. */
  equals(bytes: Uint8Array, length: number): boolean {
    if (length !== this.length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== this.bytes[i]) return false;
    return true;
  }
}

/** A frame that a node with the secret has written for this sequence; the other results name the fault. */
export const READ_SOUND = 0;
/** No node has written it: all nodes skip the message. */
export const READ_STRANGE = 1;
/** A node has written it, and it is damaged, or of a later program. */
const READ_UNSOUND = 2;

export class FrameReader {
  kind: FrameKind = FRAME_PROOF;
  epoch = 0;
  node = 0;
  life = 0;
  /** Checksum of the frame before. */
  previous = 0;
  sum = 0;
  time = 0;
  /** The newest number of a change that its node knew; 0: it keeps no changes. */
  change = 0;
  /** The node that a handover asks to claim. */
  heir = 0;
  /** Of a claim: the format of the frames after it. */
  level = 0;
  /** Length without the code. */
  length = 0;
  bytes = new Uint8Array(new ArrayBuffer(1 << 12));
  words = new Uint32Array(this.bytes.buffer);
  private readonly mac: StreamMac;

  constructor(mac: StreamMac) {
    this.mac = mac;
  }

  /** Reads the message at a sequence: READ_*. @param isOwn this node has made it, so its code is not checked */
  read(message: Uint8Array, size: number, sequence: number, isOwn = false): number {
    const length = size - MAC_BYTES;
    if (length < FRAME_HEADER_BYTES || (length & 7) !== 0) return READ_STRANGE;
    if (!isOwn && !this.mac.isRight(message, length)) return READ_STRANGE;
    this.reserve(length);
    this.bytes.set(message.subarray(0, length));
    this.length = length;
    const { bytes, words } = this;
    const found = frameLength(bytes, words, 0, length >> 2, sequence * ADDRESS_PER_SEQUENCE);
    // A node's own message that a stranger published again: its sequence is another, so no node applies it.
    if (found === NO_FRAME) return this.isOfAnotherSequence(sequence) ? READ_STRANGE : READ_UNSOUND;
    return found === length && this.takeHead() ? READ_SOUND : READ_UNSOUND;
  }

  /** Applied position of the stream after this frame at a sequence. */
  applied(sequence: number): Applied {
    const { epoch, node, life, sum, time } = this;
    return { sequence, epoch, node, life, sum, time };
  }

  private isOfAnotherSequence(sequence: number): boolean {
    const { bytes, words, length } = this;
    const address = claimedAddress(words, 0);
    return (
      address !== sequence * ADDRESS_PER_SEQUENCE && frameLength(bytes, words, 0, length >> 2, address) !== NO_FRAME
    );
  }

  private takeHead(): boolean {
    const { words } = this;
    const end = this.length >> 2;
    let w = firstEntry(0);
    if (w >= end || !isControl(words, w, CONTROL_HEAD)) return false;
    [this.epoch, this.node, this.life, this.previous] = words.subarray(contentAt(w));
    this.change = entryWords(words, w) > HEAD_WORDS ? ofTwoWords(words, contentAt(w) + HEAD_CONTENT) : 0;
    this.sum = claimedChecksum(words, 0);
    this.time = frameTime(words, 0);
    this.heir = 0;
    w += entryWords(words, w);
    if (w >= end) this.kind = FRAME_PROOF;
    else if (isControl(words, w, CONTROL_CLAIM)) {
      this.kind = FRAME_CLAIM;
      this.level = words[contentAt(w)];
      return this.level <= FRAME_LEVEL;
    } else if (isControl(words, w, CONTROL_HANDOVER)) {
      this.kind = FRAME_HANDOVER;
      this.heir = words[contentAt(w)];
    } else this.kind = FRAME_BATCH;
    return true;
  }

  private reserve(length: number): void {
    if (length <= this.bytes.length) return;
    this.bytes = new Uint8Array(new ArrayBuffer(length * 2));
    this.words = new Uint32Array(this.bytes.buffer);
  }
}

function isControl(words: Uint32Array, w: number, type: number): boolean {
  return entryKind(words, w) === ENTRY_CONTROL && controlType(words, w) === type;
}
