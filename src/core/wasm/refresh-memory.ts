// Where things lie in the memory that the registrar's WebAssembly module works in (simd/), behind those of the parser
// (sip/parser/memory-map.ts). Plain numbers, since AssemblyScript reads this file too.

import { REGISTRAR_MEMORY } from '../../sip/parser/memory-map.ts';

/** Longer requests are not for the module: all that it copies fits, however it is put together. */
export const REQUEST_BYTES_MAX = 2048;

/** What it is told, as words, IN_*. */
export const REFRESH_IN = REGISTRAR_MEMORY;
export const REFRESH_IN_WORDS = 64;
// --- of the request and the binding
export const IN_IDENTITY = 0; // two words
export const IN_EPOCH = 2;
export const IN_FLAGS = 3; // IS_*
export const IN_SECONDS = 4; // the interval granted
export const IN_TAG = 5; // two words: the To tag
export const IN_AOR_LENGTH = 7;
export const IN_AOR_KEY = 8; // four words
export const IN_SOURCE_KIND = 12; // family, transport, listener, a byte each
export const IN_PORT = 13;
export const IN_FLOW = 14;
export const IN_IP = 15; // four words
export const IN_IP_LENGTH = 19; // of the text at IP_TEXT; 0: to be made of the address
export const IN_HOME_LENGTH = 20; // of the rows at HOME_TEXT
// --- of the registrar whose request it is
export const IN_POLICY = 21; // ANSWERS_*
export const IN_IDENTITY_KEY = 22; // four words
export const IN_CODE_KEY = 26; // four words
export const IN_STREAM_KEY = 30; // four words

/** The image's flag of this name; the contact's reg-id counts; the image's flag of this name. */
export const IS_DIRECT = 1;
export const IS_FLOW = 2;
export const IS_BY_CONTACT = 4;
/** GRUUs are made; Path is repeated. */
export const ANSWERS_GRUUS = 1;
export const ANSWERS_PATH = 2;

/** The source's address as text. */
export const IP_TEXT = REFRESH_IN + 256;
/** The canonical AOR of the request. */
export const AOR_TEXT = IP_TEXT + 64;
export const AOR_TEXT_BYTES = 1024;
/** The keys of the request: request, branch and tag, two words each. */
export const KEYS_OUT = AOR_TEXT + 1088;
export const KEYS_OUT_WORDS = 6;
/** By byte: 1 where it stands in a user part, and in a parameter's value, without an escape. */
export const PLAIN_IN_USER = KEYS_OUT + 64;
export const PLAIN_IN_VALUE = PLAIN_IN_USER + 256;
/** Constant texts of an answer, TEXT_BYTES each, the last of which is the length. */
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
/** As the registrar's policy has them: Supported; what a flow's 200 says, and a flow's through a proxy. */
export const TEXT_SUPPORTED = 14;
export const TEXT_FLOW = 15;
export const TEXT_FLOW_BEHIND = 16;
/** Date, Content-Length and the empty line. */
export const TEXT_END = 17;
export const TEXT_COUNT = 18;
/** Rows that the domain or the AOR alone decides (domain-headers.ts). */
export const HOME_TEXT = TEXTS_AT + TEXT_COUNT * TEXT_BYTES;
export const HOME_TEXT_BYTES = 2048;
/** The image made of the request. */
export const IMAGE = HOME_TEXT + 2112;
/** The answer. */
export const ANSWER = IMAGE + 4096;
export const ANSWER_BYTES = 16_384;
