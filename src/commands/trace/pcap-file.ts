// Followed messages as a capture file for Wireshark and others: classic pcap, each message as a UDP datagram of its addresses and
// ports. This includes messages of streams, whose packets have TLS, or pieces that do not begin with a message.

import { closeSync, openSync, writeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { parseIp } from '../../sip/ip.ts';
import type { Endpoint, FollowedMessage } from './followed-messages.ts';

const MAGIC = 0xa1b2c3d4;
const VERSION = [2, 4] as const;
const LENGTH_MAX = 0x40000;
/** Packets begin with their IP header. */
const LINKTYPE_RAW = 101;
const IPPROTO_UDP = 17;
const HOPS = 64;
const UDP_HEADER_BYTES = 8;
const PAYLOAD_MAX = 0xffff - 40 - UDP_HEADER_BYTES;

export class PcapFile {
  private readonly fd: number;

  /** Throws the system's error; an existing file is overwritten. */
  constructor(path: string) {
    this.fd = openSync(path, 'w', 0o600);
    const head = Buffer.alloc(24);
    head.writeUInt32LE(MAGIC, 0);
    head.writeUInt16LE(VERSION[0], 4);
    head.writeUInt16LE(VERSION[1], 6);
    head.writeUInt32LE(LENGTH_MAX, 16);
    head.writeUInt32LE(LINKTYPE_RAW, 20);
    writeSync(this.fd, head);
  }

  add(message: FollowedMessage): void {
    const packet = packetOf(message);
    const head = Buffer.alloc(16);
    head.writeUInt32LE(Math.floor(message.at / 1000), 0);
    head.writeUInt32LE(Math.floor((message.at % 1000) * 1000), 4);
    head.writeUInt32LE(packet.length, 8);
    head.writeUInt32LE(packet.length, 12);
    writeSync(this.fd, Buffer.concat([head, packet]));
  }

  close(): void {
    closeSync(this.fd);
  }
}

function packetOf({ isReceived, peer, local, bytes }: FollowedMessage): Buffer {
  const [from, to] = isReceived ? [peer, local] : [local, peer];
  const payload = bytes.subarray(0, PAYLOAD_MAX);
  const udp = Buffer.alloc(UDP_HEADER_BYTES);
  udp.writeUInt16BE(from.port, 0);
  udp.writeUInt16BE(to.port, 2);
  udp.writeUInt16BE(UDP_HEADER_BYTES + payload.length, 4);
  const isV6 = isIPv6(peer.address);
  const addresses = Buffer.concat([addressOf(from, isV6), addressOf(to, isV6)]);
  const length = UDP_HEADER_BYTES + payload.length;
  // UDP over IPv6 always has a checksum (RFC 8200 §8.1); over IPv4 zero means none.
  if (isV6) udp.writeUInt16BE(checksum(Buffer.concat([addresses, pseudo(length), udp, payload])) || 0xffff, 6);
  return Buffer.concat([isV6 ? ipv6(length, addresses) : ipv4(length, addresses), udp, payload]);
}

function ipv4(length: number, addresses: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head[0] = 0x45;
  head.writeUInt16BE(20 + length, 2);
  head[8] = HOPS;
  head[9] = IPPROTO_UDP;
  const whole = Buffer.concat([head, addresses]);
  whole.writeUInt16BE(checksum(whole), 10);
  return whole;
}

function ipv6(length: number, addresses: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 0x60;
  head.writeUInt16BE(length, 4);
  head[6] = IPPROTO_UDP;
  head[7] = HOPS;
  return Buffer.concat([head, addresses]);
}

function pseudo(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(length, 0);
  bytes[7] = IPPROTO_UDP;
  return bytes;
}

function addressOf({ address }: Endpoint, isV6: boolean): Buffer {
  const bytes = new Uint8Array(16);
  parseIp(address, bytes, 0);
  return Buffer.from(bytes.subarray(0, isV6 ? 16 : 4));
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
