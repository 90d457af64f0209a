// MD5 (RFC 1321) over bytes, for Digest alone: in 32-bit arithmetic, without allocation. An old client's choice and no more;
// nothing else here may rest on it.
// @hot

/** Bytes that md5 needs behind the text, for its padding. */
export const MD5_PADDING_BYTES = 72;

const BLOCK_BYTES = 64;
const state = new Int32Array(4);

/**
 * The digest of bytes[0, length), 16 bytes into `digest`.
 * @param bytes has MD5_PADDING_BYTES more behind `length`, which are overwritten
 * @param length below 2^29
 */
export function md5(bytes: Uint8Array, length: number, digest: Uint8Array): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  const end = pad(bytes, length);
  for (let at = 0; at < end; at += BLOCK_BYTES) compress(bytes, at);
  for (let i = 0; i < 16; i++) digest[i] = state[i >> 2] >>> ((i & 3) << 3);
}

/** One 0x80, zeros, and the length in bits as eight bytes: up to the next whole block. Returns where that ends. */
function pad(bytes: Uint8Array, length: number): number {
  const end = ((length + 8) & -BLOCK_BYTES) + BLOCK_BYTES;
  bytes[length] = 0x80;
  for (let p = length + 1; p < end - 8; p++) bytes[p] = 0;
  for (let i = 0; i < 4; i++) {
    bytes[end - 8 + i] = (length << 3) >>> (8 * i);
    bytes[end - 4 + i] = 0;
  }
  return end;
}

/** The sixteen words of the block under work, and the four of the state between its rounds. */
const x = new Int32Array(16);
const v = new Int32Array(4);

function compress(bytes: Uint8Array, at: number): void {
  for (let i = 0, p = at; i < 16; i++, p += 4)
    x[i] = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
  v[0] = state[0];
  v[1] = state[1];
  v[2] = state[2];
  v[3] = state[3];
  firstRound();
  secondRound();
  thirdRound();
  fourthRound();
  state[0] += v[0];
  state[1] += v[1];
  state[2] += v[2];
  state[3] += v[3];
}

/** b + rotl(sum, s) */
function turn(sum: number, s: number, b: number): number {
  return (((sum << s) | (sum >>> (32 - s))) + b) | 0;
}

function firstRound(): void {
  let a = v[0];
  let b = v[1];
  let c = v[2];
  let d = v[3];
  a = turn((a + (((c ^ d) & b) ^ d) + x[0] + -680876936) | 0, 7, b);
  d = turn((d + (((b ^ c) & a) ^ c) + x[1] + -389564586) | 0, 12, a);
  c = turn((c + (((a ^ b) & d) ^ b) + x[2] + 606105819) | 0, 17, d);
  b = turn((b + (((d ^ a) & c) ^ a) + x[3] + -1044525330) | 0, 22, c);
  a = turn((a + (((c ^ d) & b) ^ d) + x[4] + -176418897) | 0, 7, b);
  d = turn((d + (((b ^ c) & a) ^ c) + x[5] + 1200080426) | 0, 12, a);
  c = turn((c + (((a ^ b) & d) ^ b) + x[6] + -1473231341) | 0, 17, d);
  b = turn((b + (((d ^ a) & c) ^ a) + x[7] + -45705983) | 0, 22, c);
  a = turn((a + (((c ^ d) & b) ^ d) + x[8] + 1770035416) | 0, 7, b);
  d = turn((d + (((b ^ c) & a) ^ c) + x[9] + -1958414417) | 0, 12, a);
  c = turn((c + (((a ^ b) & d) ^ b) + x[10] + -42063) | 0, 17, d);
  b = turn((b + (((d ^ a) & c) ^ a) + x[11] + -1990404162) | 0, 22, c);
  a = turn((a + (((c ^ d) & b) ^ d) + x[12] + 1804603682) | 0, 7, b);
  d = turn((d + (((b ^ c) & a) ^ c) + x[13] + -40341101) | 0, 12, a);
  c = turn((c + (((a ^ b) & d) ^ b) + x[14] + -1502002290) | 0, 17, d);
  b = turn((b + (((d ^ a) & c) ^ a) + x[15] + 1236535329) | 0, 22, c);
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}

function secondRound(): void {
  let a = v[0];
  let b = v[1];
  let c = v[2];
  let d = v[3];
  a = turn((a + (((b ^ c) & d) ^ c) + x[1] + -165796510) | 0, 5, b);
  d = turn((d + (((a ^ b) & c) ^ b) + x[6] + -1069501632) | 0, 9, a);
  c = turn((c + (((d ^ a) & b) ^ a) + x[11] + 643717713) | 0, 14, d);
  b = turn((b + (((c ^ d) & a) ^ d) + x[0] + -373897302) | 0, 20, c);
  a = turn((a + (((b ^ c) & d) ^ c) + x[5] + -701558691) | 0, 5, b);
  d = turn((d + (((a ^ b) & c) ^ b) + x[10] + 38016083) | 0, 9, a);
  c = turn((c + (((d ^ a) & b) ^ a) + x[15] + -660478335) | 0, 14, d);
  b = turn((b + (((c ^ d) & a) ^ d) + x[4] + -405537848) | 0, 20, c);
  a = turn((a + (((b ^ c) & d) ^ c) + x[9] + 568446438) | 0, 5, b);
  d = turn((d + (((a ^ b) & c) ^ b) + x[14] + -1019803690) | 0, 9, a);
  c = turn((c + (((d ^ a) & b) ^ a) + x[3] + -187363961) | 0, 14, d);
  b = turn((b + (((c ^ d) & a) ^ d) + x[8] + 1163531501) | 0, 20, c);
  a = turn((a + (((b ^ c) & d) ^ c) + x[13] + -1444681467) | 0, 5, b);
  d = turn((d + (((a ^ b) & c) ^ b) + x[2] + -51403784) | 0, 9, a);
  c = turn((c + (((d ^ a) & b) ^ a) + x[7] + 1735328473) | 0, 14, d);
  b = turn((b + (((c ^ d) & a) ^ d) + x[12] + -1926607734) | 0, 20, c);
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}

function thirdRound(): void {
  let a = v[0];
  let b = v[1];
  let c = v[2];
  let d = v[3];
  a = turn((a + (b ^ c ^ d) + x[5] + -378558) | 0, 4, b);
  d = turn((d + (a ^ b ^ c) + x[8] + -2022574463) | 0, 11, a);
  c = turn((c + (d ^ a ^ b) + x[11] + 1839030562) | 0, 16, d);
  b = turn((b + (c ^ d ^ a) + x[14] + -35309556) | 0, 23, c);
  a = turn((a + (b ^ c ^ d) + x[1] + -1530992060) | 0, 4, b);
  d = turn((d + (a ^ b ^ c) + x[4] + 1272893353) | 0, 11, a);
  c = turn((c + (d ^ a ^ b) + x[7] + -155497632) | 0, 16, d);
  b = turn((b + (c ^ d ^ a) + x[10] + -1094730640) | 0, 23, c);
  a = turn((a + (b ^ c ^ d) + x[13] + 681279174) | 0, 4, b);
  d = turn((d + (a ^ b ^ c) + x[0] + -358537222) | 0, 11, a);
  c = turn((c + (d ^ a ^ b) + x[3] + -722521979) | 0, 16, d);
  b = turn((b + (c ^ d ^ a) + x[6] + 76029189) | 0, 23, c);
  a = turn((a + (b ^ c ^ d) + x[9] + -640364487) | 0, 4, b);
  d = turn((d + (a ^ b ^ c) + x[12] + -421815835) | 0, 11, a);
  c = turn((c + (d ^ a ^ b) + x[15] + 530742520) | 0, 16, d);
  b = turn((b + (c ^ d ^ a) + x[2] + -995338651) | 0, 23, c);
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}

function fourthRound(): void {
  let a = v[0];
  let b = v[1];
  let c = v[2];
  let d = v[3];
  a = turn((a + (c ^ (b | ~d)) + x[0] + -198630844) | 0, 6, b);
  d = turn((d + (b ^ (a | ~c)) + x[7] + 1126891415) | 0, 10, a);
  c = turn((c + (a ^ (d | ~b)) + x[14] + -1416354905) | 0, 15, d);
  b = turn((b + (d ^ (c | ~a)) + x[5] + -57434055) | 0, 21, c);
  a = turn((a + (c ^ (b | ~d)) + x[12] + 1700485571) | 0, 6, b);
  d = turn((d + (b ^ (a | ~c)) + x[3] + -1894986606) | 0, 10, a);
  c = turn((c + (a ^ (d | ~b)) + x[10] + -1051523) | 0, 15, d);
  b = turn((b + (d ^ (c | ~a)) + x[1] + -2054922799) | 0, 21, c);
  a = turn((a + (c ^ (b | ~d)) + x[8] + 1873313359) | 0, 6, b);
  d = turn((d + (b ^ (a | ~c)) + x[15] + -30611744) | 0, 10, a);
  c = turn((c + (a ^ (d | ~b)) + x[6] + -1560198380) | 0, 15, d);
  b = turn((b + (d ^ (c | ~a)) + x[13] + 1309151649) | 0, 21, c);
  a = turn((a + (c ^ (b | ~d)) + x[4] + -145523070) | 0, 6, b);
  d = turn((d + (b ^ (a | ~c)) + x[11] + -1120210379) | 0, 10, a);
  c = turn((c + (a ^ (d | ~b)) + x[2] + 718787259) | 0, 15, d);
  b = turn((b + (d ^ (c | ~a)) + x[9] + -343485551) | 0, 21, c);
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}
