// A shard's log as data directories of the second format had it: files of frames, back to back.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROW_WORDS, setExpires } from '../../src/location/table/binding-row.ts';

export type OldEntry =
  | { readonly kind: 'record'; readonly key: Uint8Array; readonly record: Uint8Array; readonly plain: boolean }
  /** Of a plain row. `expiresAt` epoch ms */
  | { readonly kind: 'refresh'; readonly key: Uint8Array; readonly expiresAt: number; readonly cseq: number }
  | { readonly kind: 'removal'; readonly key: Uint8Array };

const GENERATION_BYTES = 2 ** 26;

/** One entry a frame; a generation has so many frames, the rest of it is a hole. @param directory of the shard */
export function writeSecondFormat(directory: string, entries: readonly OldEntry[], framesPerGeneration: number): void {
  mkdirSync(join(directory, 'log'), { recursive: true });
  const rows = new Map<string, number>();
  let previous = 0;
  for (let generation = 0; generation * framesPerGeneration < entries.length; generation++) {
    const frames: Buffer[] = [];
    let address = generation * GENERATION_BYTES;
    for (const entry of entries.slice(generation * framesPerGeneration, (generation + 1) * framesPerGeneration)) {
      const name = Buffer.from(entry.key).toString('hex');
      const row = rows.get(name) ?? rows.size;
      rows.set(name, row);
      const bytes = frame(encode(entry, row), address, previous);
      frames.push(bytes);
      previous = address;
      address += bytes.length;
    }
    const file = join(directory, 'log', `${String(generation).padStart(10, '0')}.log`);
    writeFileSync(file, Buffer.concat([...frames, Buffer.alloc(4096)]));
  }
}

function encode(entry: OldEntry, row: number): Uint32Array {
  const key = new Uint32Array(Uint8Array.from(entry.key).buffer);
  if (entry.kind === 'removal') return Uint32Array.of(((3 << 30) | row) >>> 0, ...key, 0);
  const words = new Uint32Array(ROW_WORDS);
  words.set(key);
  if (entry.kind === 'refresh') {
    setExpires(words, 6, entry.expiresAt, 3600);
    words[8] = entry.cseq;
    return Uint32Array.of(((2 << 30) | row) >>> 0, key[2], ...words.subarray(6, 12));
  }
  if (entry.plain) words.set([1, 1], 4);
  const encoded = new Uint32Array(14 + (((entry.record.length + 7) & ~7) >> 2));
  encoded.set([((1 << 30) | row) >>> 0, ((1 << 26) | entry.record.length) >>> 0, ...words.subarray(0, 12)]);
  new Uint8Array(encoded.buffer).set(entry.record, 56);
  return encoded;
}

function frame(entry: Uint32Array, address: number, previous: number): Buffer {
  const words = new Uint32Array(10 + entry.length);
  words.set([0x31676f6c, words.length * 4, address % 2 ** 32, Math.floor(address / 2 ** 32), 0, 1, 0, 0]);
  words.set([previous % 2 ** 32, Math.floor(previous / 2 ** 32), ...entry], 8);
  let sum = 0x811c9dc5 ^ words.length;
  for (const [i, word] of words.entries()) {
    if (i === 4) continue;
    sum = Math.imul(sum ^ word, 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  words[4] = sum;
  return Buffer.from(words.buffer);
}
