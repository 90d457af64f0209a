// The layout of the parser's memory: the slab's slots from 0 on, behind them the WebAssembly module's working memory.
// Plain numbers, since AssemblyScript reads this file too.

/** The span table: behind the last slot (slab.ts). */
export const TABLE_ADDRESS = 33_652_736;
/** By header id: the address of the link to the next row with this id. */
export const LINKS = TABLE_ADDRESS + 16_384;
/** Contents of LINKS before the first row. */
export const FIRST_LINKS = LINKS + 128;
/** The parameters of the current URI: NAME_AT, NAME_END. */
export const URI_NAMES = LINKS + 256;
/** The URI record of `parseUriAt`. */
export const URI_RECORD = URI_NAMES + 256;
/** By hash of a header name: a row of HEADER_NAMES, or 0. */
export const HEADER_HASHES = URI_RECORD + 256;
/** The header names: 16 bytes of the name in lower case, its length, its H_*, the last four bytes of a longer name. */
export const HEADER_NAMES = HEADER_HASHES + 128;
export const HEADER_NAME_BYTES = 32;
export const HEADER_NAME_LENGTH = 16;
export const HEADER_NAME_ID = 17;
export const HEADER_NAME_TAIL = 20;
/** Ends of the first lines of the header section. */
export const LINE_ENDS = HEADER_NAMES + 2048;
export const LINE_ENDS_MAX = 160;
/** The parts of one Authorization value (credential-spans.ts). */
export const CREDENTIALS = LINE_ENDS + 1024;
/** Bytes behind a message that the parser may read; their values never matter. */
export const SLACK = 64;
/** The module's own constants, if it has any (`memoryBase` of the build). */
export const MODULE_DATA = TABLE_ADDRESS + 24_576;
/** Bytes from other memory that the module reads. */
export const SCRATCH = TABLE_ADDRESS + 32_768;
export const SCRATCH_BYTES = 65_536;
/** The text of a keyed hash (siphash.ts), and the hash. */
export const HASH_TEXT = SCRATCH + 65_792;
export const HASH_TEXT_BYTES = 4096;
export const HASH_OUT = HASH_TEXT + 4224;
/** The text of a digest: space for a message, 256 more bytes and padding; and the digest. */
export const DIGEST_TEXT = HASH_OUT + 64;
export const DIGEST_TEXT_BYTES = 65_920;
export const DIGEST_OUT = DIGEST_TEXT + 66_048;
/** The constants of the registrar's module, and its working memory (core/wasm/module-memory.ts). */
export const REGISTRAR_DATA = DIGEST_OUT + 192;
export const REGISTRAR_MEMORY = REGISTRAR_DATA + 1024;
/** The whole memory in pages of 64 KB, with slack behind all of these. */
export const MEMORY_PAGES = 523;
