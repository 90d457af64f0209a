// A checkpoint: a copy of a shard's rows and index, and the address from which the log continues. Written piece by piece by a
// helper thread, read in one go at the start. threads/checkpoint/checkpointer decides when one is due and supplies the pieces; checkpoint-files has
// the files.

import type { Log } from '../log/log.ts';
import { claimedChecksum, FRAME_HEADER_BYTES } from '../log/log-frame.ts';
import type { LogEnd } from '../log/log-positions.ts';
import type { BindingTable } from '../table/binding-table.ts';
import { SUB_TABLES } from '../table/key-index.ts';
import { CHUNK_ROWS } from '../table/row-chunks.ts';

const MAGIC = 0x74706b63;
const VERSION = 2;

// The header, 16 words: magic, version, address and that of the frame before (two words each), chunks, checksum of the frame before, end of the
// log when all was copied (two words, 0 in earlier versions); the last is the checksum of those before. Then pieces: a head of 8 words (kind, number of the sub-table or chunk, words, slots used; the last is
// the checksum of the head and the piece's words) and the words.
const HEADER_WORDS = 16;
const H_ADDRESS = 2;
const H_LAST = 4;
const H_CHUNKS = 6;
const H_LAST_SUM = 7;
const H_COPIED_TO = 8;
const H_CHECKSUM = HEADER_WORDS - 1;
const PIECE_WORDS = 8;
const P_NUMBER = 1;
const P_WORDS = 2;
const P_USED = 3;
const P_CHECKSUM = PIECE_WORDS - 1;
const KIND_SUB_TABLE = 1;
const KIND_ROWS = 2;

/** Bytes between two syncs: the shard's own sync may have to wait for so many. */
const SYNC_BYTES = 8 << 20;

type Words = Uint32Array | Int32Array;

/** Storage of a shard's checkpoints. Every method throws the disk's error. */
export interface CheckpointPlace {
  /** Name of the current checkpoint in messages. */
  readonly name: string;
  /** Creates a new checkpoint, beside the current one. */
  create(): CheckpointFile;
  /** The new one is complete and synced: it becomes the current one, also after a crash. */
  accept(): void;
  /** Gives up the new one; without one, does nothing. */
  abandon(): void;
  /** The current one; null: there is none. */
  open(): CheckpointFile | null;
  /** The current one is no checkpoint of this log: it is kept under another name, and no start reads it, also after a crash. */
  refuse(): void;
  /** Removes the current one. */
  remove(): void;
}

export interface CheckpointFile {
  readonly size: number;
  /** Reads up to `length` bytes at `from` into into[at …]; returns their number. */
  read(from: number, into: Uint8Array, at: number, length: number): number;
  write(at: number, bytes: Uint8Array): void;
  sync(): void;
  close(): void;
}

/** Writes a checkpoint beside the current one and replaces that when it is complete: sub-tables first, then chunks of rows. */
export class CheckpointWriter {
  bytes = HEADER_WORDS * 4;
  private readonly place: CheckpointPlace;
  private readonly file: CheckpointFile;
  private readonly head = new Uint32Array(PIECE_WORDS);
  private chunks = 0;
  private synced = 0;

  constructor(place: CheckpointPlace) {
    this.place = place;
    this.file = place.create();
  }

  /** @param used slots that hold a row */
  subTable(number: number, words: Words, used: number): void {
    this.piece(KIND_SUB_TABLE, number, words, used);
  }

  /** Chunks in order; the last may be shorter. */
  rows(words: Words): void {
    this.piece(KIND_ROWS, this.chunks++, words, 0);
  }

  /**
   * Makes it the current checkpoint.
   * @param end end of the log before the first piece was copied: the replay starts at it
   * @param copiedTo address of the log's end after the last piece was copied
   */
  finish({ address, last, lastSum }: LogEnd, copiedTo: number): void {
    const header = new Uint32Array(HEADER_WORDS);
    header.set([MAGIC, VERSION, ...twoWords(address), ...twoWords(last), this.chunks, lastSum, ...twoWords(copiedTo)]);
    header[H_CHECKSUM] = checksum(header, H_CHECKSUM);
    this.file.write(0, bytesOf(header));
    this.file.sync();
    this.file.close();
    this.place.accept();
  }

  abandon(): void {
    this.file.close();
    this.place.abandon();
  }

  private piece(kind: number, number: number, words: Words, used: number): void {
    const { head } = this;
    head.set([kind, number, words.length, used]);
    head[P_CHECKSUM] = pieceChecksum(head, words);
    this.file.write(this.bytes, bytesOf(head));
    this.file.write(this.bytes + PIECE_WORDS * 4, bytesOf(words));
    this.bytes += PIECE_WORDS * 4 + words.length * 4;
    if (this.bytes - this.synced < SYNC_BYTES) return;
    this.file.sync();
    this.synced = this.bytes;
  }
}

export interface CheckpointFound {
  /** The log's end at which the replay starts; undefined: there is no usable checkpoint. */
  readonly end: LogEnd | undefined;
  /**
   * End of the log when its last row was copied: its rows may be newer than `end`, as of all frames before this address and of one behind it.
   * Infinity: unknown.
   */
  readonly copiedTo: number;
  readonly bytes: number;
  /** Reason why an existing checkpoint is unusable. */
  readonly problem: string | undefined;
  /** For a checkpoint that turns out to be unusable. Throws the disk's error: then it is still the current one. */
  refuse(problem: string): CheckpointFound;
}

/**
 * Fills an empty table from the checkpoint of a log. If `end` of the result is undefined, the table may be half filled, and
 * the caller must discard it.
 */
export type ReadCheckpoint = (
  table: BindingTable,
  log: Log,
  progress: (done: number, total: number) => void,
) => CheckpointFound;

const NONE: CheckpointFound = { end: undefined, copiedTo: 0, bytes: 0, problem: undefined, refuse: () => NONE };

/** There is no checkpoint. */
export const noCheckpoint: ReadCheckpoint = () => NONE;

export function checkpointIn(place: CheckpointPlace): ReadCheckpoint {
  return (table, log, progress) => {
    place.abandon();
    const file = place.open();
    if (file === null) return NONE;
    try {
      const bytes = file.size;
      const { chunks, copiedTo, ...end } = readHeader(file);
      demandFrame(log, end);
      const logEnd = ((log.generations.at(-1) ?? 0) + 1) * log.generationBytes;
      readPieces(file, table, chunks, (at) => progress(at, bytes + logEnd - end.address));
      const refuse = (problem: string) => {
        place.refuse();
        return { ...NONE, problem: `${place.name}: ${problem}` };
      };
      return { end, copiedTo, bytes, problem: undefined, refuse };
    } catch (error) {
      const problem = `${place.name}: ${messageOf(error)}`;
      try {
        place.refuse(); // a later start that read it would lose all frames appended from now on
      } catch (worse) {
        return { ...NONE, problem: `${problem}; nor can it be renamed: ${messageOf(worse)}` }; // a full disk: the next start refuses it, too
      }
      return { ...NONE, problem };
    } finally {
      file.close();
    }
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws unless the log has the frame that the checkpoint ends with. */
function demandFrame(log: Log, { address, last, lastSum }: LogEnd): void {
  if (address === 0) return;
  if (last < log.tail) throw new Error('it is older than the log');
  const start = last - (last % log.generationBytes);
  if (address <= last || address > start + log.generationBytes) throw new Error('it begins where no frame ends');
  const words = new Uint32Array(FRAME_HEADER_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  for (let found = log.find(start); found !== null; found = log.find(found.place + 8)) {
    if (found.address !== last || log.read(found.place, bytes, 0, bytes.length) < bytes.length) continue;
    if (claimedChecksum(words, 0) === lastSum) return;
  }
  throw new Error('it is newer than the log, or of another');
}

function readHeader(file: CheckpointFile): LogEnd & { readonly chunks: number; readonly copiedTo: number } {
  const header = new Uint32Array(HEADER_WORDS);
  read(file, header, 0);
  if (header[0] !== MAGIC || header[H_CHECKSUM] !== checksum(header, H_CHECKSUM))
    throw new Error('its header is damaged');
  if (header[1] !== VERSION) throw new Error(`it has version ${header[1]}`);
  const number = (at: number) => header[at + 1] * 4294967296 + header[at];
  return {
    address: number(H_ADDRESS),
    last: number(H_LAST),
    lastSum: header[H_LAST_SUM],
    chunks: header[H_CHUNKS],
    copiedTo: number(H_COPIED_TO) || Number.POSITIVE_INFINITY,
  };
}

function readPieces(file: CheckpointFile, table: BindingTable, chunks: number, progress: (at: number) => void): void {
  const head = new Uint32Array(PIECE_WORDS);
  let at = HEADER_WORDS * 4;
  for (let piece = 0; piece < SUB_TABLES + chunks; piece++) {
    read(file, head, at);
    const isRows = piece >= SUB_TABLES;
    const number = isRows ? piece - SUB_TABLES : piece;
    const length = head[P_WORDS];
    if (head[0] !== (isRows ? KIND_ROWS : KIND_SUB_TABLE) || head[P_NUMBER] !== number)
      throw new Error(`damaged at ${at}`);
    const words = isRows ? table.restoreRows(length) : table.index.restore(number, length, head[P_USED]);
    if (words === undefined) throw new Error(`damaged at ${at}`);
    read(file, words, at + PIECE_WORDS * 4);
    if (pieceChecksum(head, words) !== head[P_CHECKSUM]) throw new Error(`damaged behind ${at}`);
    at += PIECE_WORDS * 4 + length * 4;
    progress(at);
  }
}

function twoWords(address: number): [number, number] {
  return [address % 4294967296, Math.floor(address / 4294967296)];
}

function bytesOf(words: Words): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function read(file: CheckpointFile, words: Words, at: number): void {
  const bytes = bytesOf(words);
  for (let done = 0; done < bytes.length; ) {
    const got = file.read(at + done, bytes, done, bytes.length - done);
    if (got === 0) throw new Error('it is cut off');
    done += got;
  }
}

function pieceChecksum(head: Uint32Array, words: Words): number {
  return (Math.imul(checksum(head, P_CHECKSUM), 31) ^ checksum(words, words.length)) >>> 0;
}

/** Two sums (Fletcher's) in four lanes: any damaged word changes the first, any swapped words the second. */
function checksum(words: Words, length: number): number {
  let a = 1;
  let b = 0;
  let c = 2;
  let d = 0;
  const even = length & ~1;
  for (let i = 0; i < even; i += 2) {
    a = (a + words[i]) | 0;
    b = (b + a) | 0;
    c = (c + words[i + 1]) | 0;
    d = (d + c) | 0;
  }
  if (even < length) a = (a + words[even]) | 0;
  return (
    (Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d) ^ Math.imul(d, 0x27d4eb2f)) >>> 0
  );
}

/** Words of a chunk up to its last used row: the rest need not be written. */
export function usedWords(chunk: Uint32Array): number {
  const rowWords = chunk.length / CHUNK_ROWS;
  let used = chunk.length;
  while (used > 0 && chunk[used - 1] === 0) used--;
  return Math.ceil(used / rowWords) * rowWords;
}
