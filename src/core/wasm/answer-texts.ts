// The constant texts of answers, in the module's memory; only the date in the last text changes, once a second.
// @hot

import { writeDate } from '../../sip/date.ts';
import { memory } from '../../sip/parser/slab.ts';
import { ascii } from '../../sip/writer.ts';
import * as layout from './module-memory.ts';

/** In the order of TEXT_*. */
const TEXTS: readonly string[] = [
  'SIP/2.0 200 OK',
  '\r\nVia: ',
  '\r\nFrom: ',
  '\r\nTo: ',
  '\r\nCall-ID: ',
  '\r\nCSeq: ',
  ';tag=',
  ';rport=',
  ';received=',
  'Contact: ',
  ';pub-gruu="',
  '";temp-gruu="',
  ';expires=',
  'Path: ',
  'Supported: path\r\n',
  'Supported: path, outbound\r\n',
  'Require: outbound\r\n',
  'Flow-Timer: ',
  'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n',
];
const DATE_AT = layout.TEXT_END * layout.TEXT_BYTES + 'Date: '.length;

const texts = new Uint8Array(memory.buffer, layout.TEXTS_AT, layout.TEXT_COUNT * layout.TEXT_BYTES);
for (let number = 0; number < TEXTS.length; number++) {
  const bytes = ascii(TEXTS[number]);
  texts.set(bytes, number * layout.TEXT_BYTES);
  texts[(number + 1) * layout.TEXT_BYTES - 1] = bytes.length;
}
const written = { second: 0 };

/** Sets the date in the end of answers to the second of an epoch time in ms. */
export function dateEnd(now: number): void {
  const second = Math.floor(now / 1000);
  if (second === written.second) return;
  written.second = second;
  writeDate(now, texts, DATE_AT);
}
