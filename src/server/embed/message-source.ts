// The source of a program's message and the destination of its answer, as plain data; and as a row of peers.

import type { Transport } from '../../core/binding/binding-view.ts';
import { parseIp, writeIp } from '../../sip/ip.ts';
import { isBytes } from '../../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';
import type { FlowSource } from '../../transport/flow/flows.ts';
import { LISTEN_TRANSPORTS, TRANSPORT_CODE } from '../../transport/listener.ts';

export interface MessageSource {
  /** IPv4 or IPv6, as Node's sockets report it. */
  readonly address: string;
  readonly port: number;
  /** `udp` by default. */
  readonly transport?: Transport;
  /** For a stream: the connection's number from `openFlow`. Answers and bindings name it. */
  readonly flow?: number;
}

/** The peer of a program's connection. */
export interface StreamSource {
  /** IPv4 or IPv6, as Node's sockets report it. */
  readonly address: string;
  readonly port: number;
  readonly transport: Exclude<Transport, 'udp'>;
}

export interface MessageTarget extends MessageSource {
  readonly transport: Transport;
}

/** Gets an answer, in a copy of its own, and its destination. */
export type SendAnswer = (bytes: Buffer, target: MessageTarget) => void;

/** Checks that the bytes of a message, in any realm, and its source are valid; throws an error for the program otherwise. */
export function needMessage(bytes: Uint8Array, source: MessageSource): void {
  if (!isBytes(bytes)) throw new TypeError('handle(bytes, source): bytes are a Buffer or another Uint8Array');
  if (typeof source?.address !== 'string')
    throw new TypeError('handle(bytes, source): source is missing: { address, port } of the sender');
}

/** Fills a row. Throws a RangeError where the source is invalid. @param listener that the message is counted under */
export function writePeer(peers: Peers, row: number, source: MessageSource, listener: number): void {
  const { address, port, transport = 'udp', flow = 0 } = source;
  const code = TRANSPORT_CODE[transport];
  if (code === undefined) throw new RangeError(`unknown transport "${transport}"`);
  if (!Number.isInteger(flow) || flow < 0 || flow > 0xffffffff)
    throw new RangeError(`flow ${flow} is no number of 32 bits`);
  needPort(port);
  const family = parseIp(address.split('%', 1)[0], peers.ip, row << 4);
  if (family === 0) throw new RangeError(`"${address}" is no IP address`);
  peers.family[row] = family;
  peers.port[row] = port;
  peers.transport[row] = code;
  peers.listener[row] = listener;
  peers.flow[row] = flow;
  peers.answeredByMain[row] = 1;
  peers.local.fill(0, row << 4, (row + 1) << 4);
}

/** A connection for the table of flows. Throws a RangeError where the source is invalid. @param listener that it is counted under */
export function flowSource({ address, port, transport }: StreamSource, listener: number): FlowSource {
  const code = TRANSPORT_CODE[transport];
  if (code === undefined || code === TRANSPORT_UDP) throw new RangeError(`"${transport}" has no connections`);
  if (parseIp(address.split('%', 1)[0], new Uint8Array(16), 0) === 0)
    throw new RangeError(`"${address}" is no IP address`);
  needPort(port);
  return { transport: code, listener, address, port };
}

function needPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) throw new RangeError(`${port} is no port`);
}

/** Throws the program's error for a connection beyond the limits. */
export function noCapacityForFlow(): never {
  throw new Error('as many connections as the limits allow: end those that are gone (endFlow), or raise "connections"');
}

/** A message over a stream must name an open connection. */
export function needFlow({ transport = 'udp', flow = 0 }: MessageSource, stands: (flow: number) => boolean): void {
  if (transport !== 'udp' && !stands(flow))
    throw new RangeError(`a message over ${transport} needs the flow of an open connection (openFlow), not ${flow}`);
}

export function readPeer(peers: Peers, row: number, port: number): MessageTarget {
  const text = new Uint8Array(48);
  const flow = peers.flow[row];
  const transport = LISTEN_TRANSPORTS[peers.transport[row]];
  return {
    address: Buffer.from(text.buffer, 0, writeIp(peers, row, text)).toString('latin1'),
    port,
    transport,
    ...(transport !== 'udp' && { flow }),
  };
}
