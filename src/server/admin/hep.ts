// HEP version 3, the format of captures for HOMER (HEP3 Network Protocol Specification rev. 36): one SIP message as one
// packet. Bytes only; message-watch.ts sends them.

import { TRANSPORT_UDP } from '../../sip/sources.ts';

// Chunk types of vendor 0.
const IP_FAMILY = 1;
const IP_PROTOCOL = 2;
const IPV4_SOURCE = 3;
const IPV4_DESTINATION = 4;
const IPV6_SOURCE = 5;
const IPV6_DESTINATION = 6;
const SOURCE_PORT = 7;
const DESTINATION_PORT = 8;
const SECONDS = 9;
const MICROSECONDS = 10;
const PROTOCOL_TYPE = 11;
const CAPTURE_ID = 12;
const AUTH_KEY = 14;
const PAYLOAD = 15;

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const SIP = 1;
const CHUNK_HEADER_BYTES = 6;

export interface HepAddress {
  /** 16 bytes in network order; IPv4 in the first four. */
  readonly ip: Uint8Array;
  readonly port: number;
}

export interface HepMessage {
  readonly payload: Uint8Array;
  readonly family: number;
  /** TRANSPORT_*; HEP knows only whether it was UDP. */
  readonly transport: number;
  readonly from: HepAddress;
  readonly to: HepAddress;
  /** Epoch ms. */
  readonly time: number;
}

export interface HepSender {
  readonly captureId: number;
  readonly authKey?: string;
}

/** @returns the packet, or undefined where it would not fit its 16 bits of length */
export function hepPacket(message: HepMessage, sender: HepSender): Buffer | undefined {
  const { payload, family, from, to, time } = message;
  const v4 = family === 4;
  const chunks: Buffer[] = [
    byte(IP_FAMILY, v4 ? AF_INET : AF_INET6),
    byte(IP_PROTOCOL, message.transport === TRANSPORT_UDP ? IPPROTO_UDP : IPPROTO_TCP),
    chunk(v4 ? IPV4_SOURCE : IPV6_SOURCE, from.ip.subarray(0, v4 ? 4 : 16)),
    chunk(v4 ? IPV4_DESTINATION : IPV6_DESTINATION, to.ip.subarray(0, v4 ? 4 : 16)),
    short(SOURCE_PORT, from.port),
    short(DESTINATION_PORT, to.port),
    long(SECONDS, Math.floor(time / 1000)),
    long(MICROSECONDS, Math.floor(time % 1000) * 1000),
    byte(PROTOCOL_TYPE, SIP),
    long(CAPTURE_ID, sender.captureId),
  ];
  if (sender.authKey !== undefined) chunks.push(chunk(AUTH_KEY, Buffer.from(sender.authKey)));
  chunks.push(chunk(PAYLOAD, payload));
  const length = chunks.reduce((sum, one) => sum + one.length, CHUNK_HEADER_BYTES);
  if (length > 0xffff) return undefined;
  const head = Buffer.from('HEP3\0\0', 'latin1');
  head.writeUInt16BE(length, 4);
  return Buffer.concat([head, ...chunks], length);
}

function chunk(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + value.length);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(bytes.length & 0xffff, 4);
  bytes.set(value, CHUNK_HEADER_BYTES);
  return bytes;
}

function byte(type: number, value: number): Buffer {
  return chunk(type, Uint8Array.of(value));
}

function short(type: number, value: number): Buffer {
  return chunk(type, Uint8Array.of(value >> 8, value & 255));
}

function long(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return chunk(type, bytes);
}
