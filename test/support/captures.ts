// Captures for tests, byte by byte: packets of Ethernet in pcap and pcapng.

type Text = string | Uint8Array;

const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
const u32 = (n: number): Buffer => Buffer.from([n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
const ADDRESSES = Buffer.from([192, 0, 2, 1, 192, 0, 2, 2]);

/** @param vlan with a tag of 802.1Q */
export function ethernet(type: number, payload: Uint8Array, vlan = false): Buffer {
  return Buffer.concat([Buffer.alloc(12, 2), ...(vlan ? [u16(0x8100), u16(7)] : []), u16(type), payload]);
}

export function ipv4(protocol: number, payload: Uint8Array, fragment = 0): Buffer {
  const head = [Buffer.from([0x45, 0]), u16(20 + payload.length), u16(1), u16(fragment)];
  return Buffer.concat([...head, Buffer.from([64, protocol, 0, 0]), ADDRESSES, payload]);
}

export function ipv6(next: number, payload: Uint8Array): Buffer {
  const head = [Buffer.from([0x60, 0, 0, 0]), u16(payload.length), Buffer.from([next, 64])];
  return Buffer.concat([...head, Buffer.alloc(16, 1), Buffer.alloc(16, 2), payload]);
}

export function udp(text: Text): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([u16(5062), u16(5060), u16(8 + payload.length), u16(0), payload]);
}

export function tcp(sequence: number, text: Text, flags = 0x18): Buffer {
  return Buffer.concat([
    u16(40_000),
    u16(5060),
    u32(sequence),
    u32(0),
    Buffer.from([0x50, flags]),
    Buffer.alloc(6),
    Buffer.from(text),
  ]);
}

export function udpPacket(text: Text): Buffer {
  return ethernet(0x0800, ipv4(17, udp(text)));
}

export function tcpPacket(sequence: number, text: Text, flags?: number): Buffer {
  return ethernet(0x0800, ipv4(6, tcp(sequence, text, flags)));
}

/** @param link LINKTYPE_*; Ethernet by default */
export function pcap(packets: readonly Uint8Array[], link = 1, order: 'LE' | 'BE' = 'LE'): Buffer {
  const number = (n: number) => (order === 'LE' ? u32(n).reverse() : u32(n));
  const head = [number(0xa1b2c3d4), number(order === 'LE' ? 0x0004_0002 : 0x0002_0004), number(0), number(0)];
  const records = packets.flatMap((bytes) => [number(1), number(0), number(bytes.length), number(bytes.length), bytes]);
  return Buffer.concat([...head, number(65_535), number(link), ...records]);
}

export function pcapng(packets: readonly Uint8Array[], link = 1): Buffer {
  const number = (n: number) => u32(n).reverse();
  const block = (type: number, ...parts: Uint8Array[]) => {
    const body = Buffer.concat(parts);
    const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
    const length = number(12 + padded.length);
    return Buffer.concat([number(type), length, padded, length]);
  };
  const section = block(0x0a0d0d0a, number(0x1a2b3c4d), number(1), number(0xffff_ffff), number(0xffff_ffff));
  const described = block(1, u16(link).reverse(), u16(0), number(65_535));
  const size = (bytes: Uint8Array) => number(bytes.length);
  const blocks = packets.map((bytes) => block(6, number(0), number(0), number(0), size(bytes), size(bytes), bytes));
  return Buffer.concat([section, described, ...blocks]);
}
