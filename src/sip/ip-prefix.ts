// Address prefixes in text ("192.0.2.0/24", "2001:db8::/32", or a single address) to numbers, for lists in the
// configuration. Rare work, plain code; matching is trusted-sources.ts.

export interface IpPrefix {
  readonly family: 4 | 6;
  /** 4 or 16 bytes in network order, zero behind the prefix. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** The prefix, or null where the text is none. An IPv4-mapped one (::ffff:0:0/96 and longer) is its IPv4 prefix. */
export function parseIpPrefix(text: string): IpPrefix | null {
  const [address, length, ...rest] = text.split('/');
  const bytes = address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === null || rest.length > 0) return null;
  const bits = length === undefined ? bytes.length * 8 : decimalTo(length, bytes.length * 8);
  if (bits < 0) return null;
  if (isMapped(bytes) && bits >= 96) return prefixOf(bytes.slice(12), bits - 96);
  return prefixOf(bytes, bits);
}

function prefixOf(bytes: Uint8Array, bits: number): IpPrefix {
  for (let i = 0; i < bytes.length; i++) bytes[i] &= maskByte(bits, i);
  return { family: bytes.length === 4 ? 4 : 6, bytes, bits };
}

/** Byte `i` of the mask of a prefix. */
export function maskByte(bits: number, i: number): number {
  const left = bits - 8 * i;
  return left >= 8 ? 255 : left <= 0 ? 0 : (0xff00 >> left) & 255;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 255));
}

/** A decimal number without leading zeros up to `max`, or -1. */
function decimalTo(text: string, max: number): number {
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= max ? Number(text) : -1;
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split('.').map((part) => decimalTo(part, 255));
  return parts.length === 4 && !parts.includes(-1) ? Uint8Array.from(parts) : null;
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const front = groupBytes(halves[0], halves.length === 1);
  const back = halves.length === 2 ? groupBytes(halves[1], true) : [];
  if (front === null || back === null) return null;
  const given = front.length + back.length;
  if (halves.length === 2 ? given > 14 : given !== 16) return null;
  const bytes = new Uint8Array(16);
  bytes.set(front);
  bytes.set(back, 16 - back.length);
  return bytes;
}

/** Bytes of groups between colons; the last may be an IPv4 address where the text ends the address. */
function groupBytes(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') return [];
  const out: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (group.includes('.')) {
      const quad = mayEndInIpv4 && i === groups.length - 1 ? ipv4Bytes(group) : null;
      if (quad === null) return null;
      out.push(...quad);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
      const value = Number.parseInt(group, 16);
      out.push(value >> 8, value & 255);
    }
  }
  return out;
}
