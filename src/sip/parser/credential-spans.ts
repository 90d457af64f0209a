// What is read of one Authorization value: indexes of `credentials` (credentials.ts). Plain numbers, since AssemblyScript reads this file too.

// --- `credentials`: AT, END pairs of values, without their quotes; ABSENT for missing ones
export const C_USERNAME_AT = 0;
export const C_USERNAME_END = 1;
export const C_USERNAME_STAR_AT = 2; // as sent: charset'language'percent-encoded (RFC 5987)
export const C_REALM_AT = 4;
export const C_REALM_END = 5;
export const C_NONCE_AT = 6;
export const C_NONCE_END = 7;
export const C_URI_AT = 8;
export const C_URI_END = 9;
export const C_RESPONSE_AT = 10;
export const C_RESPONSE_END = 11;
export const C_ALGORITHM_AT = 12;
export const C_CNONCE_AT = 14;
export const C_CNONCE_END = 15;
export const C_OPAQUE_AT = 16;
export const C_OPAQUE_END = 17;
export const C_QOP_AT = 18;
export const C_QOP_END = 19;
export const C_NC_AT = 20;
export const C_NC_END = 21;
export const C_USERHASH_AT = 22;
// --- and their meanings
export const C_SCHEME = 24;
export const C_ALGORITHM = 25; // ALG_*; ALG_MD5 where there is none (RFC 7616 §3.3)
export const C_QOP = 26; // QOP_*
export const C_NC = 27; // read with ">>> 0"; valid where C_NC_VALID
export const C_NC_VALID = 28; // 1: exactly eight hexadecimal digits
export const C_USERHASH = 29; // 0, 1; MALFORMED
export const CREDENTIALS_INTS = 30;
