// A URI in an operator's notation, in the configuration or as a static contact, for answers to phones.

import { E_OK } from '../../sip/parser/parse-error.ts';
import { URI_INTS } from '../../sip/parser/span-table.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import { AS_SENT, uriSpelling } from '../../sip/uri/uri-spelling.ts';

/** Whether the text is a URI by the grammar (RFC 3261 §25.1), without brackets. */
export function isUriText(text: string): boolean {
  const bytes = Buffer.from(text);
  const record = new Int32Array(URI_INTS);
  return parseUri(bytes, 0, bytes.length, record, 0) === E_OK && uriSpelling(bytes, record, 0) === AS_SENT;
}
