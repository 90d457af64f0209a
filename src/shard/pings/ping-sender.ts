// Sends one ping to the source of a binding's REGISTER, with the answers of the batch.
// @hot

import { flowOf, ipAt, nodeOf, portOf, transportOf } from '../../core/binding/binding.ts';
import { SOURCE_FAMILY, SOURCE_LISTENER } from '../../core/binding/image-layout.ts';
import { PING_BYTES_MAX, type PingCode, writeEmptyLines, writeOptions } from '../../core/pings/ping-message.ts';
import type { ExchangeRequest } from '../../core/uas/exchange.ts';
import { AT_SIGN } from '../../sip/scanner.ts';
import { ANSWERED_BY_MAIN, createPeers, TRANSPORT_TCP, TRANSPORT_UDP } from '../../sip/sources.ts';
import { ascii, Writer } from '../../sip/writer.ts';
import type { OutgoingRequests } from '../outgoing/outgoing-requests.ts';
import type { PingOptions } from './ping-options.ts';

export class PingSender {
  private readonly outgoing: OutgoingRequests;
  private readonly code: PingCode;
  private readonly udpByMain: boolean;
  private readonly tcpByMain: boolean;
  private readonly node: number;
  private readonly sentBy: readonly Uint8Array[];
  private readonly peer = createPeers(1);
  private readonly writer = new Writer();

  /** @param node this one; 0 where there is one */
  constructor(options: PingOptions, outgoing: OutgoingRequests, code: PingCode, node: number) {
    this.outgoing = outgoing;
    this.code = code;
    this.udpByMain = options.udpByMain;
    this.tcpByMain = options.tcpByMain;
    this.node = node;
    this.sentBy = options.sentBy.map(({ host, port }) => ascii(host === '' ? '' : `${host}:${port}`));
  }

  get isFull(): boolean {
    return this.outgoing.room(PING_BYTES_MAX) < 0;
  }

  /**
   * Sends a ping to the contact of an image in the request; false where this node cannot reach it: a contact registered through another
   * node is that node's, and one of a program is the program's.
   * @param isOptions false: empty lines @param key of the AOR @param id,source of the contact
   * @param wasLost the ping before drew no answer: if its size made it a TCP one, this one is sent by UDP
   */
  send(
    request: Readonly<ExchangeRequest>,
    image: number,
    isOptions: boolean,
    key: Uint32Array,
    id: number,
    source: number,
    wasLost: boolean,
  ): boolean {
    const { outgoing, writer, peer, sentBy } = this;
    const { state, stateAt, now } = request;
    const listener = state[image + SOURCE_LISTENER];
    if (listener >= sentBy.length || nodeOf(state, image) !== this.node) return false;
    const at = outgoing.room(PING_BYTES_MAX);
    if (at < 0) return false;
    writer.start(outgoing.bytes, at, at + PING_BYTES_MAX);
    if (isOptions) {
      const host = state.lastIndexOf(AT_SIGN, stateAt - 1) + 1;
      const time = (now % 4294967296) >>> 0;
      writeOptions(writer, state, image, sentBy[listener], host, stateAt, this.code, key[3], id, time, source);
    } else writeEmptyLines(writer);
    if (writer.overflow) return false;
    this.readPeer(state, image, listener);
    if (wasLost && outgoing.large.takes(writer.at - at, peer, 0, now)) outgoing.large.refused(peer, 0, now);
    outgoing.put(writer.at - at, peer, 0, key, now);
    return true;
  }

  private readPeer(bytes: Uint8Array, image: number, listener: number): void {
    const { peer } = this;
    const transport = transportOf(bytes, image);
    peer.family[0] = bytes[image + SOURCE_FAMILY];
    peer.port[0] = portOf(bytes, image);
    peer.transport[0] = transport;
    peer.listener[0] = listener;
    peer.flow[0] = flowOf(bytes, image);
    peer.node[0] = this.node;
    peer.answeredByMain[0] = this.isByMain(transport) ? ANSWERED_BY_MAIN : 0;
    for (let i = 0, ip = ipAt(image); i < 16; i++) peer.ip[i] = bytes[ip + i];
  }

  private isByMain(transport: number): boolean {
    if (transport === TRANSPORT_UDP) return this.udpByMain;
    return transport !== TRANSPORT_TCP || this.tcpByMain;
  }
}
