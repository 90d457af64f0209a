// The device behind a contact (RFC 8599 §5.3): its push service, and its parameters there. Two contacts with the same ones are one
// device, whatever the rest of their URIs.
// @hot

import { URI_INTS } from '../../sip/parser/span-table.ts';
import { sameBytes, sameText } from '../../sip/scanner.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import { hasUriParam, uriParamAt, uriParamEnd } from '../../sip/uri/uri-param.ts';
import { ascii } from '../../sip/writer.ts';
import { uriAt, uriEnd } from './binding.ts';

const PROVIDER = ascii('pn-provider');
const PARAM = ascii('pn-param');
const PRID = ascii('pn-prid');

/** The device in its contact's parameters, with escapes undone. */
export interface PushDevice {
  /** In lower case: `apns`, `fcm`, … */
  readonly provider: string;
  readonly param: string;
  readonly prid: string;
}

/** Whether the URIs in a[aBase, …) and b[bBase, …), over their bytes, name the same device. */
export function nameSameDevice(
  aBytes: Uint8Array,
  a: Int32Array,
  aBase: number,
  bBytes: Uint8Array,
  b: Int32Array,
  bBase: number,
): boolean {
  if (!hasUriParam(aBytes, a, aBase, PRID)) return false;
  const at = uriParamAt();
  const end = uriParamEnd();
  if (!hasUriParam(bBytes, b, bBase, PRID)) return false;
  if (!sameBytes(aBytes, at, end, bBytes, uriParamAt(), uriParamEnd())) return false;
  if (!hasUriParam(aBytes, a, aBase, PROVIDER)) return false;
  const nameAt = uriParamAt();
  const nameEnd = uriParamEnd();
  return (
    hasUriParam(bBytes, b, bBase, PROVIDER) && sameText(aBytes, nameAt, nameEnd, bBytes, uriParamAt(), uriParamEnd())
  );
}

/** The device of the image at bytes[image]; null where its contact names none. @cold */
export function deviceOf(bytes: Uint8Array, image: number): PushDevice | null {
  const uri = new Int32Array(URI_INTS);
  parseUri(bytes, uriAt(bytes, image), uriEnd(bytes, image), uri, 0);
  const provider = textOf(bytes, uri, PROVIDER).toLowerCase();
  const prid = textOf(bytes, uri, PRID);
  return provider === '' || prid === '' ? null : { provider, param: textOf(bytes, uri, PARAM), prid };
}

/** @cold */
function textOf(bytes: Uint8Array, uri: Int32Array, name: Uint8Array): string {
  if (!hasUriParam(bytes, uri, 0, name) || uriParamAt() < 0) return '';
  let text = '';
  for (let p = uriParamAt(); p < uriParamEnd(); p++) text += String.fromCharCode(bytes[p]);
  return unescaped(text);
}

/** @cold */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not UTF-8: unchanged
  }
}
