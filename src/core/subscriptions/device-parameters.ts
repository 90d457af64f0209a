// Contact parameters that name a device at its push service (RFC 8599 §4.1, §13). Other users do not see them, since the parameters would
// let them wake the device.

import type { ContactElement } from './reginfo.ts';

const NAMES = ['pn-provider', 'pn-param', 'pn-prid', 'pn-purr'];

/** The contact without them, in its URI and in its parameters. Its id stays. */
export function withoutDevice(contact: ContactElement): ContactElement {
  const params = contact.params.filter(([name]) => !namesDevice(name));
  return { ...contact, uri: uriWithoutDevice(contact.uri), params };
}

/** A similar text in the user part belongs to the user's name, and stays. */
function uriWithoutDevice(uri: string): string {
  const host = uri.indexOf('@') + 1;
  const headers = uri.indexOf('?', host);
  const end = headers < 0 ? uri.length : headers;
  const [first, ...params] = uri.slice(host, end).split(';');
  const kept = params.filter((param) => !namesDevice(param.replace(/=.*$/s, '')));
  return uri.slice(0, host) + [first, ...kept].join(';') + uri.slice(end);
}

/** In any spelling: characters may be escaped (RFC 3261 §19.1.4). */
function namesDevice(name: string): boolean {
  const plain = name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return NAMES.includes(plain.trim().toLowerCase());
}
