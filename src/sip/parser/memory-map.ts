// Where things lie in the parser's memory: the slab's slots from 0 on, behind them what the WebAssembly module works with.
// Plain numbers, since AssemblyScript reads this file too.

/** The span table: behind the last slot (slab.ts). */
export const TABLE_ADDRESS = 16_826_368;
/** By header id: the address where the next row with this id is to be chained. */
export const LINKS = TABLE_ADDRESS + 16_384;
/** What LINKS is when there is no row yet. */
export const FIRST_LINKS = LINKS + 128;
/** The parameters of the URI at work: NAME_AT, NAME_END. */
export const URI_NAMES = LINKS + 256;
/** The URI record of `parseUriAt`. */
export const URI_RECORD = URI_NAMES + 256;
/** By hash of a header name: a row of HEADER_NAMES, or 0. */
export const HEADER_HASHES = URI_RECORD + 256;
/** The header names: 16 bytes of the name in lower case, its length, its H_*, its last four bytes as it is longer than 16. */
export const HEADER_NAMES = HEADER_HASHES + 128;
export const HEADER_NAME_BYTES = 32;
export const HEADER_NAME_LENGTH = 16;
export const HEADER_NAME_ID = 17;
export const HEADER_NAME_TAIL = 20;
/** Where the first lines of the header section end. */
export const LINE_ENDS = HEADER_NAMES + 2048;
export const LINE_ENDS_MAX = 160;
/** Bytes behind a message that the parser may read; what stands there never matters. */
export const SLACK = 64;
/** Where the module's own constants lie, if it has any (`memoryBase` of the build). */
export const MODULE_DATA = TABLE_ADDRESS + 24_576;
/** Bytes from elsewhere that the module is to look at. */
export const SCRATCH = TABLE_ADDRESS + 32_768;
export const SCRATCH_BYTES = 65_536;
/** The text of a keyed hash (siphash.ts), and the hash. */
export const HASH_TEXT = SCRATCH + 65_792;
export const HASH_TEXT_BYTES = 4096;
export const HASH_OUT = HASH_TEXT + 4224;
/** The text of a digest: a message and 256 bytes more, and padding; and the digest. */
export const DIGEST_TEXT = HASH_OUT + 64;
export const DIGEST_TEXT_BYTES = 65_920;
export const DIGEST_OUT = DIGEST_TEXT + 66_048;
/** The constants of the registrar's module, and what it works with (core/wasm/module-memory.ts). */
export const REGISTRAR_DATA = DIGEST_OUT + 192;
export const REGISTRAR_MEMORY = REGISTRAR_DATA + 1024;
/** The whole memory in pages of 64 KB, with slack behind all of these. */
export const MEMORY_PAGES = 266;
