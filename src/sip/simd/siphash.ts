// AssemblyScript. SipHash with 128 bits of output (Aumasson, Bernstein) over bytes of the memory; src/sip/siphash.ts
// uses it. One hash at a time.

import { HASH_OUT } from '../parser/memory-map.ts';

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

// @ts-ignore: decorator
@inline
function half(low: i32, high: i32): u64 {
  return <u64><u32>low | (<u64><u32>high << 32);
}

/** Begins a hash, with a key of four words. */
export function hashStart(k0: i32, k1: i32, k2: i32, k3: i32): void {
  const low = half(k0, k1);
  const high = half(k2, k3);
  v0 = low ^ 0x736f6d6570736575;
  v1 = high ^ 0x646f72616e646f6d ^ 0xee;
  v2 = low ^ 0x6c7967656e657261;
  v3 = high ^ 0x7465646279746573;
}

/** Hashes [at, end), a multiple of eight bytes. */
export function hashWords(at: i32, end: i32, rounds: i32): void {
  run(at, end, 0, rounds, 0);
}

/** Hashes [at, end), the rest of `length` bytes in all, and leaves the hash at HASH_OUT. */
export function hashFinish(at: i32, end: i32, length: i32, rounds: i32, lastRounds: i32): void {
  run(at, end, length, rounds, lastRounds);
}

/** Input of the next rounds: a word, the last word; or the finalization of the first half of the hash, of the second. */
const WORD: i32 = 0;
const LAST: i32 = 1;
const LOW_HALF: i32 = 2;
const HIGH_HALF: i32 = 3;

function run(at: i32, end: i32, length: i32, rounds: i32, lastRounds: i32): void {
  let a = v0;
  let b = v1;
  let c = v2;
  let d = v3;
  let p = at;
  let step = WORD;
  while (true) {
    let word: u64 = 0;
    let turns = rounds;
    if (p + 8 <= end) {
      word = load<u64>(p);
      p += 8;
    } else {
      if (lastRounds == 0) break;
      step++;
      if (step == LAST) word = (load<u64>(p) & (((<u64>1) << (<u64>(end - p) << 3)) - 1)) | (<u64>length << 56);
      else {
        turns = lastRounds;
        if (step == LOW_HALF) c ^= 0xee;
        else b ^= 0xdd;
      }
      p = end;
    }
    d ^= word;
    while (turns > 0) {
      a += b;
      b = rotl(b, 13) ^ a;
      a = rotl(a, 32);
      c += d;
      d = rotl(d, 16) ^ c;
      a += d;
      d = rotl(d, 21) ^ a;
      c += b;
      b = rotl(b, 17) ^ c;
      c = rotl(c, 32);
      turns--;
    }
    a ^= word;
    if (step == LOW_HALF) store<u64>(HASH_OUT, a ^ b ^ c ^ d);
    else if (step == HIGH_HALF) {
      store<u64>(HASH_OUT + 8, a ^ b ^ c ^ d);
      return;
    }
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
}

/** Copies [from, from + length) to `to`, sixteen bytes at a time: up to fifteen more are overwritten behind it. */
export function copyBytes(to: i32, from: i32, length: i32): void {
  for (let i = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}
