// SIP messages of captured packets: a datagram is one, and in TCP they are found by the listeners' framing. Encrypted packets and
// fragments are counted and left out.

import { FRAME_MESSAGE, FRAME_MORE, FRAME_NO_LENGTH, FRAME_PING, Framer } from '../../sip/framing.ts';
import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import type { LinkType, Packet } from './capture-file.ts';

export interface CapturedMessage {
  /** Number of the packet with the message, or with its last part. */
  readonly packet: number;
  readonly bytes: Buffer;
}

export interface LeftOut {
  /** Fragments of IP, left out. */
  fragments: number;
  /** Parts of TCP streams after missing bytes. */
  gaps: number;
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const VLANS = [0x8100, 0x88a8, 0x9100];
const UDP = 17;
const TCP = 6;
const SYN = 2;
const FRAGMENT_HEADER = 44;
const EXTENSION_HEADERS = [0, 43, 60];
const START_LINE_MAX = 2048;

/** Every message in the order of its last packet. @param leftOut counters to increase */
export function* messagesOf(packets: Iterable<Packet>, leftOut: LeftOut): Generator<CapturedMessage> {
  const streams = new Map<string, Stream>();
  for (const { number, link, bytes } of packets) {
    const ip = networkOf(link, bytes);
    const segment = ip === undefined ? undefined : segmentOf(ip);
    if (segment === 'fragment') leftOut.fragments++;
    else if (segment !== undefined && segment.protocol === UDP) {
      if (beginsMessage(segment.payload)) yield { packet: number, bytes: segment.payload };
    } else if (segment !== undefined) {
      let stream = streams.get(segment.flow);
      if (stream === undefined) streams.set(segment.flow, (stream = new Stream(leftOut)));
      for (const message of stream.take(segment)) yield { packet: number, bytes: message };
    }
  }
}

/** The IP packet in a frame of the link; undefined for frames without one. */
function networkOf(link: LinkType, bytes: Buffer): Buffer | undefined {
  const at = networkAt(link, bytes);
  const version = at === undefined || at >= bytes.length ? 0 : bytes[at] >> 4;
  return version === 4 || version === 6 ? bytes.subarray(at) : undefined;
}

function networkAt(link: LinkType, bytes: Buffer): number | undefined {
  const isIp = (at: number) => at + 2 <= bytes.length && [IPV4, IPV6].includes(bytes.readUInt16BE(at));
  switch (link) {
    case 1: {
      // Ethernet
      let at = 12;
      while (at + 2 <= bytes.length && VLANS.includes(bytes.readUInt16BE(at))) at += 4;
      return isIp(at) ? at + 2 : undefined;
    }
    case 0: // BSD loopback
    case 108:
      return 4;
    case 12: // raw IP, by its several numbers
    case 14:
    case 101:
    case 228:
    case 229:
      return 0;
    case 113: // "any" interface of Linux
      return isIp(14) ? 16 : undefined;
    case 276: // the same of today
      return isIp(0) ? 20 : undefined;
    default:
      return undefined;
  }
}

interface Segment {
  readonly protocol: number;
  /** One direction of one connection. */
  readonly flow: string;
  /** Sequence number of TCP. */
  readonly sequence: number;
  readonly isFirst: boolean;
  readonly payload: Buffer;
}

function segmentOf(ip: Buffer): Segment | 'fragment' | undefined {
  return ip[0] >> 4 === 4 ? ofIpv4(ip) : ofIpv6(ip);
}

function ofIpv4(ip: Buffer): Segment | 'fragment' | undefined {
  const head = (ip[0] & 15) * 4;
  if (ip.length < 20 || head < 20 || ip.length < head) return undefined;
  if ((ip.readUInt16BE(6) & 0x3fff) !== 0) return 'fragment';
  const total = ip.readUInt16BE(2);
  const end = total >= head && total <= ip.length ? total : ip.length; // 0 where the network card fills it in
  return transportOf(ip[9], ip.toString('latin1', 12, 20), ip.subarray(head, end));
}

function ofIpv6(ip: Buffer): Segment | 'fragment' | undefined {
  if (ip.length < 40) return undefined;
  const length = ip.readUInt16BE(4);
  const end = length > 0 ? Math.min(ip.length, 40 + length) : ip.length;
  let next = ip[6];
  let at = 40;
  while (EXTENSION_HEADERS.includes(next) && at + 8 <= end) {
    next = ip[at];
    at += (ip[at + 1] + 1) * 8;
  }
  if (next === FRAGMENT_HEADER) return 'fragment';
  return transportOf(next, ip.toString('latin1', 8, 40), ip.subarray(at, end));
}

function transportOf(protocol: number, addresses: string, bytes: Buffer): Segment | undefined {
  if (protocol === UDP && bytes.length >= 8) {
    const length = bytes.readUInt16BE(4);
    const end = length >= 8 ? Math.min(length, bytes.length) : bytes.length;
    return { protocol, flow: '', sequence: 0, isFirst: false, payload: bytes.subarray(8, end) };
  }
  if (protocol !== TCP || bytes.length < 20) return undefined;
  const flow = addresses + bytes.toString('latin1', 0, 4);
  const isFirst = (bytes[13] & SYN) !== 0;
  return { protocol, flow, sequence: bytes.readUInt32BE(4), isFirst, payload: bytes.subarray((bytes[12] >> 4) * 4) };
}

/** Whether the bytes begin with a start line of SIP, well formed or not. */
function beginsMessage(bytes: Buffer): boolean {
  const end = bytes.indexOf(0x0a);
  const line = bytes.toString('latin1', 0, Math.min(end < 0 ? bytes.length : end, START_LINE_MAX));
  return /^SIP\/2\.0 |^[A-Za-z]\S* .*SIP\/\d/.test(line);
}

/** One direction of a connection, with its segments reassembled. */
class Stream {
  private readonly leftOut: LeftOut;
  /** Number of the next byte; undefined until a message begins. */
  private next: number | undefined;
  private waiting: Buffer = Buffer.alloc(0);
  private framer = new Framer();

  constructor(leftOut: LeftOut) {
    this.leftOut = leftOut;
  }

  take({ sequence, isFirst, payload }: Segment): Buffer[] {
    if (isFirst) this.restart((sequence + 1) >>> 0);
    if (payload.length === 0) return [];
    const ahead = this.next === undefined ? 0 : (sequence - this.next) | 0;
    if (ahead < 0 && -ahead >= payload.length) return []; // a retransmission
    if (ahead > 0) {
      this.leftOut.gaps++;
      this.restart(undefined);
    }
    if (this.next === undefined && !beginsMessage(payload)) return [];
    this.next = (sequence + payload.length) >>> 0;
    const fresh = ahead < 0 ? payload.subarray(-ahead) : payload;
    return this.messages(this.waiting.length === 0 ? fresh : Buffer.concat([this.waiting, fresh]));
  }

  private messages(bytes: Buffer): Buffer[] {
    const found: Buffer[] = [];
    for (let at = 0; ; at = this.framer.end) {
      const outcome = this.framer.next(bytes, at, bytes.length, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX);
      if (outcome === FRAME_MESSAGE || outcome === FRAME_NO_LENGTH)
        found.push(bytes.subarray(this.framer.at, this.framer.end));
      if (outcome === FRAME_MORE) {
        this.waiting = Buffer.from(bytes.subarray(this.framer.at));
        return found;
      }
      if (outcome !== FRAME_MESSAGE && outcome !== FRAME_PING) {
        this.restart(undefined); // the bytes after it cannot be read: TLS, WebSocket, or the middle of a message
        return found;
      }
    }
  }

  private restart(next: number | undefined): void {
    this.next = next;
    this.waiting = Buffer.alloc(0);
    this.framer = new Framer();
  }
}
