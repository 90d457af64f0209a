// Limits of the data that a node accepts from its peers, and keeps for them.

/** Bytes of one frame after its head: the longest message and its row, or a beat of many shards. */
export const FRAME_BYTES_MAX = 128 * 1024;
/** The same before a peer has proved itself. */
export const GREETING_BYTES_MAX = 256;
/** Time that a peer has to prove itself. */
export const PROOF_MS_MAX = 2000;
/** Connections without a proof yet, at a time. */
export const STRANGERS_MAX = 32;
/** Bytes that wait to be sent to one peer: beyond, requests are treated as if it were not there. */
export const UNSENT_BYTES_MAX = 16 << 20;
/** Requests over connections that wait for an answer from elsewhere, and their bytes: beyond, clients are put off at once. */
export const PENDING_MAX = 16_384;
export const PENDING_BYTES_MAX = 32 << 20;
/** Requests over UDP that wait for an owner of their shard, as many as an owner keeps for its stream: beyond, phones repeat them. */
export const DATAGRAMS_MAX = 512;
/** No request over UDP waits longer: its transaction is over (RFC 3261 §17.1.2.2, Timer F). */
export const DATAGRAM_MS_MAX = 32_000;
/** Ended connections that a node keeps for its peers, and that each node remembers of all the others. */
export const ENDED_MAX = 65_536;
/** Ended connections in one frame. */
export const ENDED_PER_FRAME = 4096;
