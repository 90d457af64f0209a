// The layout of a binding's image (binding.ts reads it, wasm/simd/image.ts writes it): plain numbers, since AssemblyScript reads this
// file too.
//
// A new field takes a spare byte, or moves the texts: then the version of records is raised, and record-vN.ts reads the earlier images
// (location/record.ts, decisions/0104).
//
// An image is a head that each refresh rewrites, then the bytes kept of the request (from KEPT on). Two requests with the same kept bytes
// leave the same binding except for its times, its CSeq and its nonce.

// Offsets in an image; numbers are little-endian, times are milliseconds since 1970 in eight bytes.
export const LENGTH = 0; // u16, of the whole image
export const EXPIRES_AT = 2;
export const REFRESHED_AT = 10;
export const REGISTERED_AT = 18;
export const CSEQ = 26; // u32
export const GRUU_EPOCH = 30; // u32: shared by the valid temporary GRUUs of the instance (gruu.ts); 0 for none
export const NONCE_ID = 34; // u32 each: the nonce that the last request was authenticated with (nonceIdOf), and its highest nc
export const NONCE_COUNT = 38;
/** Start of the bytes kept of the request; they run to the image's end. */
export const KEPT = 42;
export const FLAGS = 42; // IMAGE_*
// 43 is spare: 0, written with the flags
export const REG_ID = 44; // u32, 0 where the binding is no flow (RFC 5626 §6)
export const Q = 48; // u16 in thousandths, NO_Q where there is none
export const SOURCE_FAMILY = 50;
export const SOURCE_TRANSPORT = 51;
export const SOURCE_LISTENER = 52;
export const SOURCE_NODE = 53; // the node that holds the connection; 0 where there is one
export const SOURCE_PORT = 54; // u16
export const SOURCE_FLOW = 56; // u32
export const SOURCE_IP = 60; // 16 bytes
export const DISPLAY_LENGTH = 76; // u16 each, in the order in which the texts follow
export const URI_LENGTH = 78;
export const PARAMS_LENGTH = 80;
export const CALL_ID_LENGTH = 82;
export const USER_AGENT_LENGTH = 84;
export const PATH_LENGTH = 86;
export const INSTANCE_OFFSET = 88; // u16: the instance ID in the parameters, without quotes and brackets
export const INSTANCE_LENGTH = 90; // u16, 0 for none
export const TEXTS = 92;

export const NO_Q = 0xffff;

/** Longer instance IDs get no GRUUs. */
export const GRUU_INSTANCE_BYTES_MAX = 512;

// --- flags
/** Made by an operator, not by a REGISTER: no REGISTER changes or removes it. */
export const IMAGE_STATIC = 1;
/** The request came straight from the user agent: its source is a flow to it (RFC 5626 §6). Without the flag, requests follow Path. */
export const IMAGE_DIRECT = 2;
/** Straight over a connection, but the contact also leads to the user agent without it (contact-reach.ts). */
export const IMAGE_BY_CONTACT = 4;
/** Aorta wakes its device by push (RFC 8599 §5.6.1.1). */
export const IMAGE_PUSH = 8;
/** It sleeps, and listeners have been told that it has ended (sleep.ts). An older program finds it expired, or its connection closed. */
export const IMAGE_ASLEEP = 16;
