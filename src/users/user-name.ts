// The identity of a user: name and realm as people write them (`alice@example.com`), and the AORs of others that it may
// register.

import { canonicalDomain } from '../core/uas/domains.ts';
import { E_OK } from '../sip/parser/parse-error.ts';
import { URI_INTS } from '../sip/parser/span-table.ts';
import { canonicalAor, parseUri } from '../sip/uri/uri.ts';
import { REALM_BYTES_MAX, USER_NAME_BYTES_MAX } from './user-record.ts';

export interface UserName {
  readonly name: string;
  /** The domain in its canonical form. */
  readonly realm: string;
}

/** Reads `alice@example.com`. Throws a RangeError that names the fault. */
export function parseUserName(text: string): UserName {
  const at = text.lastIndexOf('@');
  if (at < 0) throw new RangeError(`expected a user with its domain, such as alice@example.com, got "${text}"`);
  const bare = /^sips?:/i.test(text) ? text.slice(text.indexOf(':') + 1) : text;
  return checkUserName(bare.slice(0, bare.lastIndexOf('@')), bare.slice(bare.lastIndexOf('@') + 1));
}

/** The same from separate name and domain. Throws a RangeError that names the fault. */
export function checkUserName(name: string, domain: string): UserName {
  const realm = canonicalDomain(domain);
  if (name === '') throw new RangeError('the user has no name');
  if (realm === '') throw new RangeError('the user has no domain');
  if (hasControl(name)) throw new RangeError('the name has a control character in it');
  if (name.includes(':')) throw new RangeError('the name has a colon in it, which digest authentication cannot take');
  if (Buffer.byteLength(name) > USER_NAME_BYTES_MAX)
    throw new RangeError(`the name is longer than ${USER_NAME_BYTES_MAX} bytes`);
  if (name.toLowerCase().endsWith(`@${realm}`)) throw new RangeError('the name has its domain in it already');
  if (realm.length > REALM_BYTES_MAX || !/^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)$/.test(realm))
    throw new RangeError(`"${domain}" is not a domain such as example.com`);
  return { name, realm };
}

/** An AOR in its canonical form, "bob@example.com", from that or from a SIP URI. Throws a RangeError. */
export function parseAor(text: string): string {
  const bytes = Buffer.from(/^sips?:/i.test(text) ? text : `sip:${text}`);
  const uri = new Int32Array(URI_INTS);
  const into = new Uint8Array(512);
  const length = parseUri(bytes, 0, bytes.length, uri, 0) === E_OK ? canonicalAor(bytes, uri, 0, into) : -1;
  if (length < 0) throw new RangeError(`expected an address such as bob@example.com, got "${text}"`);
  return Buffer.from(into.subarray(0, length)).toString();
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20 || text.charCodeAt(i) === 0x7f) return true;
  return false;
}
