// Packets of a capture: pcap as tcpdump writes it, and pcapng as Wireshark does. Bytes in, packets out; captured-messages reads
// the packets.

/** The first header of a packet: a LINKTYPE_* of tcpdump.org. */
export type LinkType = number;

export interface Packet {
  /** Number of the packet from 1, as in Wireshark. */
  readonly number: number;
  readonly link: LinkType;
  readonly bytes: Buffer;
}

/** The file is a capture that cannot be read. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
}

const PCAP_HEADER_BYTES = 24;
const PCAP_RECORD_BYTES = 16;
/** Microseconds and nanoseconds, in the byte order of the writer. */
const PCAP_MAGICS = [0xa1b2c3d4, 0xa1b23c4d];

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BLOCK_BYTES_MIN = 12;

/** Whether bytes begin like a capture. */
export function isCapture(bytes: Buffer): boolean {
  return isPcapng(bytes) || pcapOrder(bytes) !== undefined;
}

/** Every complete packet; a truncated last one, as of a stopped capture, is left out. @throws CaptureError */
export function packetsOf(bytes: Buffer): Generator<Packet> {
  return isPcapng(bytes) ? pcapngPackets(bytes) : pcapPackets(bytes);
}

type Order = 'LE' | 'BE';

function isPcapng(bytes: Buffer): boolean {
  return bytes.length >= BLOCK_BYTES_MIN && bytes.readUInt32BE(0) === SECTION_HEADER;
}

function pcapOrder(bytes: Buffer): Order | undefined {
  if (bytes.length < PCAP_HEADER_BYTES) return undefined;
  if (PCAP_MAGICS.includes(bytes.readUInt32LE(0))) return 'LE';
  return PCAP_MAGICS.includes(bytes.readUInt32BE(0)) ? 'BE' : undefined;
}

function reader(bytes: Buffer, order: Order): { u16(at: number): number; u32(at: number): number } {
  return order === 'LE'
    ? { u16: (at) => bytes.readUInt16LE(at), u32: (at) => bytes.readUInt32LE(at) }
    : { u16: (at) => bytes.readUInt16BE(at), u32: (at) => bytes.readUInt32BE(at) };
}

function* pcapPackets(bytes: Buffer): Generator<Packet> {
  const order = pcapOrder(bytes);
  if (order === undefined) throw new CaptureError('no capture: neither pcap nor pcapng');
  const { u32 } = reader(bytes, order);
  const link = u32(20) & 0x0fff_ffff; // the upper bits are of the frame check sequence
  let number = 0;
  for (let at = PCAP_HEADER_BYTES; at + PCAP_RECORD_BYTES <= bytes.length; ) {
    const start = at + PCAP_RECORD_BYTES;
    const end = start + u32(at + 8);
    if (end > bytes.length) return;
    yield { number: ++number, link, bytes: bytes.subarray(start, end) };
    at = end;
  }
}

function* pcapngPackets(bytes: Buffer): Generator<Packet> {
  let order: Order = 'LE';
  let links: LinkType[] = [];
  let number = 0;
  for (let at = 0; at + BLOCK_BYTES_MIN <= bytes.length; ) {
    if (bytes.readUInt32BE(at) === SECTION_HEADER) {
      if (at + BLOCK_BYTES_MIN + 4 > bytes.length) return;
      order = bytes.readUInt32LE(at + 8) === BYTE_ORDER ? 'LE' : 'BE';
      links = [];
    }
    const { u16, u32 } = reader(bytes, order);
    const length = u32(at + 4);
    if (length < BLOCK_BYTES_MIN || length % 4 !== 0)
      throw new CaptureError(`byte ${at}: a block of ${length} bytes, which none has`);
    const end = at + length;
    if (end > bytes.length) return;
    const type = u32(at);
    if (type === INTERFACE && length >= 20) links.push(u16(at + 8));
    const packet = packetOf(type, { at, length, u16, u32 });
    if (packet !== undefined && packet.end <= end - 4) {
      const link = links[packet.on];
      if (link === undefined) throw new CaptureError(`byte ${at}: a packet of an interface that is not described`);
      yield { number: ++number, link, bytes: bytes.subarray(packet.start, packet.end) };
    }
    at = end;
  }
}

interface Block {
  readonly at: number;
  readonly length: number;
  u16(at: number): number;
  u32(at: number): number;
}

/** The packet of a block, and the number of its interface; undefined for a block without one. */
function packetOf(
  type: number,
  { at, length, u16, u32 }: Block,
): { start: number; end: number; on: number } | undefined {
  if (type === SIMPLE_PACKET && length >= 16) {
    const start = at + 12;
    return { start, end: start + Math.min(u32(at + 8), length - 16), on: 0 };
  }
  if ((type !== ENHANCED_PACKET && type !== OBSOLETE_PACKET) || length < 32) return undefined;
  const start = at + 28;
  return { start, end: start + u32(at + 20), on: type === ENHANCED_PACKET ? u32(at + 8) : u16(at + 8) };
}
