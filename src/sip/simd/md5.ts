// AssemblyScript. MD5 (RFC 1321) over bytes of the memory. Only for Digest with old clients; nothing else
// may rely on MD5.

const BLOCK_BYTES: i32 = 64;

/**
 * Leaves the digest of [at, at + length) at `digest`, sixteen bytes, and overwrites sixteen more. Up to 96 bytes behind the text are overwritten.
 * @param length below 2^29
 */
export function md5(at: i32, length: i32, digest: i32): void {
  store<u32>(digest, 0x67452301);
  store<u32>(digest, 0xefcdab89, 4);
  store<u32>(digest, 0x98badcfe, 8);
  store<u32>(digest, 0x10325476, 12);
  const end = at + pad(at, length);
  for (let block = at; block < end; block += BLOCK_BYTES) {
    firstHalf(block, digest);
    secondHalf(block, digest);
  }
}

/** One 0x80, zeros, and the length in bits as eight bytes: up to the next whole block. Returns the whole length. */
function pad(at: i32, length: i32): i32 {
  const whole = ((length + 8) & -BLOCK_BYTES) + BLOCK_BYTES;
  for (let p = at + length; p < at + whole; p += 16) v128.store(p, i64x2.splat(0));
  store<u8>(at + length, 0x80);
  store<u64>(at + whole - 8, <u64>length << 3);
  return whole;
}

/** Offset of the state between the halves of a block: behind the digest. */
const HALFWAY: i32 = 16;

function firstHalf(at: i32, state: i32): void {
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  a = rotl<u32>(a + (((c ^ d) & b) ^ d) + load<u32>(at, 0) + 0xd76aa478, 7) + b;
  d = rotl<u32>(d + (((b ^ c) & a) ^ c) + load<u32>(at, 4) + 0xe8c7b756, 12) + a;
  c = rotl<u32>(c + (((a ^ b) & d) ^ b) + load<u32>(at, 8) + 0x242070db, 17) + d;
  b = rotl<u32>(b + (((d ^ a) & c) ^ a) + load<u32>(at, 12) + 0xc1bdceee, 22) + c;
  a = rotl<u32>(a + (((c ^ d) & b) ^ d) + load<u32>(at, 16) + 0xf57c0faf, 7) + b;
  d = rotl<u32>(d + (((b ^ c) & a) ^ c) + load<u32>(at, 20) + 0x4787c62a, 12) + a;
  c = rotl<u32>(c + (((a ^ b) & d) ^ b) + load<u32>(at, 24) + 0xa8304613, 17) + d;
  b = rotl<u32>(b + (((d ^ a) & c) ^ a) + load<u32>(at, 28) + 0xfd469501, 22) + c;
  a = rotl<u32>(a + (((c ^ d) & b) ^ d) + load<u32>(at, 32) + 0x698098d8, 7) + b;
  d = rotl<u32>(d + (((b ^ c) & a) ^ c) + load<u32>(at, 36) + 0x8b44f7af, 12) + a;
  c = rotl<u32>(c + (((a ^ b) & d) ^ b) + load<u32>(at, 40) + 0xffff5bb1, 17) + d;
  b = rotl<u32>(b + (((d ^ a) & c) ^ a) + load<u32>(at, 44) + 0x895cd7be, 22) + c;
  a = rotl<u32>(a + (((c ^ d) & b) ^ d) + load<u32>(at, 48) + 0x6b901122, 7) + b;
  d = rotl<u32>(d + (((b ^ c) & a) ^ c) + load<u32>(at, 52) + 0xfd987193, 12) + a;
  c = rotl<u32>(c + (((a ^ b) & d) ^ b) + load<u32>(at, 56) + 0xa679438e, 17) + d;
  b = rotl<u32>(b + (((d ^ a) & c) ^ a) + load<u32>(at, 60) + 0x49b40821, 22) + c;
  a = rotl<u32>(a + (((b ^ c) & d) ^ c) + load<u32>(at, 4) + 0xf61e2562, 5) + b;
  d = rotl<u32>(d + (((a ^ b) & c) ^ b) + load<u32>(at, 24) + 0xc040b340, 9) + a;
  c = rotl<u32>(c + (((d ^ a) & b) ^ a) + load<u32>(at, 44) + 0x265e5a51, 14) + d;
  b = rotl<u32>(b + (((c ^ d) & a) ^ d) + load<u32>(at, 0) + 0xe9b6c7aa, 20) + c;
  a = rotl<u32>(a + (((b ^ c) & d) ^ c) + load<u32>(at, 20) + 0xd62f105d, 5) + b;
  d = rotl<u32>(d + (((a ^ b) & c) ^ b) + load<u32>(at, 40) + 0x02441453, 9) + a;
  c = rotl<u32>(c + (((d ^ a) & b) ^ a) + load<u32>(at, 60) + 0xd8a1e681, 14) + d;
  b = rotl<u32>(b + (((c ^ d) & a) ^ d) + load<u32>(at, 16) + 0xe7d3fbc8, 20) + c;
  a = rotl<u32>(a + (((b ^ c) & d) ^ c) + load<u32>(at, 36) + 0x21e1cde6, 5) + b;
  d = rotl<u32>(d + (((a ^ b) & c) ^ b) + load<u32>(at, 56) + 0xc33707d6, 9) + a;
  c = rotl<u32>(c + (((d ^ a) & b) ^ a) + load<u32>(at, 12) + 0xf4d50d87, 14) + d;
  b = rotl<u32>(b + (((c ^ d) & a) ^ d) + load<u32>(at, 32) + 0x455a14ed, 20) + c;
  a = rotl<u32>(a + (((b ^ c) & d) ^ c) + load<u32>(at, 52) + 0xa9e3e905, 5) + b;
  d = rotl<u32>(d + (((a ^ b) & c) ^ b) + load<u32>(at, 8) + 0xfcefa3f8, 9) + a;
  c = rotl<u32>(c + (((d ^ a) & b) ^ a) + load<u32>(at, 28) + 0x676f02d9, 14) + d;
  b = rotl<u32>(b + (((c ^ d) & a) ^ d) + load<u32>(at, 48) + 0x8d2a4c8a, 20) + c;
  store<u32>(state, a, HALFWAY);
  store<u32>(state, b, HALFWAY + 4);
  store<u32>(state, c, HALFWAY + 8);
  store<u32>(state, d, HALFWAY + 12);
}

function secondHalf(at: i32, state: i32): void {
  let a = load<u32>(state, HALFWAY);
  let b = load<u32>(state, HALFWAY + 4);
  let c = load<u32>(state, HALFWAY + 8);
  let d = load<u32>(state, HALFWAY + 12);
  a = rotl<u32>(a + (b ^ c ^ d) + load<u32>(at, 20) + 0xfffa3942, 4) + b;
  d = rotl<u32>(d + (a ^ b ^ c) + load<u32>(at, 32) + 0x8771f681, 11) + a;
  c = rotl<u32>(c + (d ^ a ^ b) + load<u32>(at, 44) + 0x6d9d6122, 16) + d;
  b = rotl<u32>(b + (c ^ d ^ a) + load<u32>(at, 56) + 0xfde5380c, 23) + c;
  a = rotl<u32>(a + (b ^ c ^ d) + load<u32>(at, 4) + 0xa4beea44, 4) + b;
  d = rotl<u32>(d + (a ^ b ^ c) + load<u32>(at, 16) + 0x4bdecfa9, 11) + a;
  c = rotl<u32>(c + (d ^ a ^ b) + load<u32>(at, 28) + 0xf6bb4b60, 16) + d;
  b = rotl<u32>(b + (c ^ d ^ a) + load<u32>(at, 40) + 0xbebfbc70, 23) + c;
  a = rotl<u32>(a + (b ^ c ^ d) + load<u32>(at, 52) + 0x289b7ec6, 4) + b;
  d = rotl<u32>(d + (a ^ b ^ c) + load<u32>(at, 0) + 0xeaa127fa, 11) + a;
  c = rotl<u32>(c + (d ^ a ^ b) + load<u32>(at, 12) + 0xd4ef3085, 16) + d;
  b = rotl<u32>(b + (c ^ d ^ a) + load<u32>(at, 24) + 0x04881d05, 23) + c;
  a = rotl<u32>(a + (b ^ c ^ d) + load<u32>(at, 36) + 0xd9d4d039, 4) + b;
  d = rotl<u32>(d + (a ^ b ^ c) + load<u32>(at, 48) + 0xe6db99e5, 11) + a;
  c = rotl<u32>(c + (d ^ a ^ b) + load<u32>(at, 60) + 0x1fa27cf8, 16) + d;
  b = rotl<u32>(b + (c ^ d ^ a) + load<u32>(at, 8) + 0xc4ac5665, 23) + c;
  a = rotl<u32>(a + (c ^ (b | ~d)) + load<u32>(at, 0) + 0xf4292244, 6) + b;
  d = rotl<u32>(d + (b ^ (a | ~c)) + load<u32>(at, 28) + 0x432aff97, 10) + a;
  c = rotl<u32>(c + (a ^ (d | ~b)) + load<u32>(at, 56) + 0xab9423a7, 15) + d;
  b = rotl<u32>(b + (d ^ (c | ~a)) + load<u32>(at, 20) + 0xfc93a039, 21) + c;
  a = rotl<u32>(a + (c ^ (b | ~d)) + load<u32>(at, 48) + 0x655b59c3, 6) + b;
  d = rotl<u32>(d + (b ^ (a | ~c)) + load<u32>(at, 12) + 0x8f0ccc92, 10) + a;
  c = rotl<u32>(c + (a ^ (d | ~b)) + load<u32>(at, 40) + 0xffeff47d, 15) + d;
  b = rotl<u32>(b + (d ^ (c | ~a)) + load<u32>(at, 4) + 0x85845dd1, 21) + c;
  a = rotl<u32>(a + (c ^ (b | ~d)) + load<u32>(at, 32) + 0x6fa87e4f, 6) + b;
  d = rotl<u32>(d + (b ^ (a | ~c)) + load<u32>(at, 60) + 0xfe2ce6e0, 10) + a;
  c = rotl<u32>(c + (a ^ (d | ~b)) + load<u32>(at, 24) + 0xa3014314, 15) + d;
  b = rotl<u32>(b + (d ^ (c | ~a)) + load<u32>(at, 52) + 0x4e0811a1, 21) + c;
  a = rotl<u32>(a + (c ^ (b | ~d)) + load<u32>(at, 16) + 0xf7537e82, 6) + b;
  d = rotl<u32>(d + (b ^ (a | ~c)) + load<u32>(at, 44) + 0xbd3af235, 10) + a;
  c = rotl<u32>(c + (a ^ (d | ~b)) + load<u32>(at, 8) + 0x2ad7d2bb, 15) + d;
  b = rotl<u32>(b + (d ^ (c | ~a)) + load<u32>(at, 36) + 0xeb86d391, 21) + c;
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
}
