// Codes of parse errors. Plain numbers, since AssemblyScript reads this file too; parse-error-text.ts has their
// texts.

export const E_OK = 0;
export const E_NOT_SIP = 1; // neither a request line nor a status line; never answered
export const E_START_LINE = 2;
export const E_VERSION = 3; // answered 505
export const E_REQUEST_URI = 4;
export const E_HEADER_LINE = 5; // no colon, a control character, a bare CR or LF
export const E_UNTERMINATED = 6; // no empty line behind the headers
export const E_TOO_MANY_HEADERS = 7;
export const E_REPEATED = 8; // a header field that may occur once
export const E_VIA = 9;
export const E_TOO_MANY_VIAS = 10;
export const E_FROM = 11;
export const E_TO = 12;
export const E_CALL_ID = 13;
export const E_CSEQ = 14;
export const E_CSEQ_METHOD = 15; // differs from the request line
export const E_CONTACT = 16;
export const E_TOO_MANY_CONTACTS = 17;
export const E_TOO_MANY_PARAMS = 18;
export const E_REPEATED_PARAM = 19;
export const E_CONTENT_LENGTH = 20;
export const E_TRUNCATED = 21; // Content-Length larger than the datagram
export const E_MISSING = 22; // T_ERROR_HEADER names it
export const E_OPTION_TAGS = 23; // Require, Supported
export const E_STATUS_LINE = 24; // a response; dropped
export const E_CREDENTIALS = 25; // a malformed Authorization; found by parseCredentials, not by the parser
