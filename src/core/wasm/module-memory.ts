// The layout of the memory of the registrar's WebAssembly module (simd/), behind that of the parser
// (sip/parser/memory-map.ts). Plain numbers, since AssemblyScript reads this file too.

import { REGISTRAR_MEMORY } from '../../sip/parser/memory-map.ts';

/** Inputs of the module, as words, IN_*. */
export const TOLD = REGISTRAR_MEMORY;
export const TOLD_WORDS = 64;
// --- of the request: its To tag, its source (source-words.ts)
export const IN_TAG = 0; // two words
export const IN_SOURCE_KIND = 2; // family, transport, listener, node, a byte each
export const IN_PORT = 3;
export const IN_FLOW = 4;
export const IN_IP = 5; // four words
export const IN_IP_LENGTH = 9; // of the text at IP_TEXT; 0: the module makes it from the address
// --- of the AOR, and the keys that seal its GRUUs
export const IN_AOR_LENGTH = 10; // of the text at AOR_TEXT
export const IN_AOR_KEY = 11; // four words
export const IN_CODE_KEY = 15; // four words
export const IN_STREAM_KEY = 19; // four words
// --- of a contact in another spelling: the texts at SPELLED, one behind the other
export const IN_DISPLAY_LENGTH = 23;
export const IN_URI_LENGTH = 24;
export const IN_PARAMS_LENGTH = 25;
export const IN_INSTANCE_OFFSET = 26;
// --- of a binding that a request may refresh
export const IN_IDENTITY = 27; // two words
export const IN_IDENTITY_KEY = 29; // four words
export const IN_EPOCH = 33;
export const IN_SECONDS = 34; // the interval granted
// --- of a listed contact: 1 where it stands for the numbers of a PBX, so that its GRUU has no user (RFC 6140 §7.1.1)
export const IN_BULK = 35;

/** Rows of a 200 beside its contacts: Supported, with outbound or without; Path; an accepted flow. */
export const SHOWS_OUTBOUND = 1;
export const SHOWS_SUPPORTED = 2;
export const SHOWS_PATH = 4;
export const SHOWS_FLOW = 8;
/** Of the answer to a refresh: it lists the contact, with GRUUs; no other rows follow before its end. */
export const SHOWS_CONTACT = 16;
export const SHOWS_GRUUS = 32;
export const SHOWS_END = 64;

/** The source's address as text. */
export const IP_TEXT = TOLD + 256;
/** The canonical AOR of the request. */
export const AOR_TEXT = IP_TEXT + 64;
export const AOR_TEXT_BYTES = 1024;
/** The keys of the request: request, branch and tag, two words each. */
export const KEYS_OUT = AOR_TEXT + 1088;
export const KEYS_OUT_WORDS = 6;
/** Another method than that of the request in the table, of 32 bytes at most. */
export const METHOD_TEXT = KEYS_OUT + 64;
/** By byte: 1 where it needs no escape in a user part, and in a parameter's value. */
export const PLAIN_IN_USER = METHOD_TEXT + 64;
export const PLAIN_IN_VALUE = PLAIN_IN_USER + 256;
/** Constant texts of an answer, TEXT_BYTES each; the last byte is the length. */
export const TEXT_BYTES = 64;
export const TEXTS_AT = PLAIN_IN_VALUE + 256;
export const TEXT_STATUS = 0;
export const TEXT_VIA = 1;
export const TEXT_FROM = 2;
export const TEXT_TO = 3;
export const TEXT_CALL_ID = 4;
export const TEXT_CSEQ = 5;
export const TEXT_TAG = 6;
export const TEXT_RPORT = 7;
export const TEXT_RECEIVED = 8;
export const TEXT_CONTACT = 9;
export const TEXT_PUB_GRUU = 10;
export const TEXT_TEMP_GRUU = 11;
export const TEXT_EXPIRES = 12;
export const TEXT_PATH = 13;
export const TEXT_SUPPORTED_PATH = 14;
export const TEXT_SUPPORTED_OUTBOUND = 15;
export const TEXT_REQUIRE_OUTBOUND = 16;
export const TEXT_FLOW_TIMER = 17;
/** Date, Content-Length and the empty line. */
export const TEXT_END = 18;
export const TEXT_COUNT = 19;
/** Texts of a contact in another spelling, or of a listed one. */
export const SPELLED = TEXTS_AT + TEXT_COUNT * TEXT_BYTES;
export const SPELLED_BYTES = 65_536;
/** The image written last: space for a contact's texts and a whole message. */
export const IMAGE = SPELLED + SPELLED_BYTES + 64;
export const IMAGE_BYTES = 131_328;
/** The answer. Behind the longest that is sent there is space for a too long one: the rows of a whole message or a whole image. */
export const ANSWER = IMAGE + IMAGE_BYTES + 64;
export const ANSWER_BYTES_MAX = 65_507;
