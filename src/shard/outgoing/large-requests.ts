// Requests that are too large for UDP (RFC 3261 §18.1.1): they are sent by TCP to the same address, unless their peer recently refused it.

import { type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';

/** A request beyond it is large: the MTU of the path is not known. */
const LARGE_BYTES = 1300;
/** Time that a peer without TCP is sent everything by UDP. */
const REFUSED_MS = 3_600_000;
/** Maximum of known refusals; beyond it the oldest is forgotten, and its peer tried again. */
const REFUSALS_MAX = 10_000;

const VIA = Buffer.from('\r\nVia: SIP/2.0/');
const UDP = Buffer.from('UDP');
const TCP = Buffer.from('TCP');

export class LargeRequests {
  private readonly opens: boolean;
  /** By peer: end of its refusal, ms. */
  private readonly refusals = new Map<string, number>();

  /** @param opens whether connections can be opened */
  constructor(opens: boolean) {
    this.opens = opens;
  }

  /** Whether a request of this length is sent by TCP though its peer is known by UDP. */
  takes(length: number, peers: Peers, row: number, now: number): boolean {
    if (length <= LARGE_BYTES || !this.opens) return false;
    // A link-local address has its scope in place of a flow, and a new connection could not be given a scope.
    if (peers.transport[row] !== TRANSPORT_UDP || peers.flow[row] !== 0) return false;
    return (this.refusals.get(nameOf(peers, row)) ?? 0) <= now;
  }

  /** Notes a peer that accepts no connection, or answers no request over it. */
  refused(peers: Peers, row: number, now: number): void {
    const [oldest] = this.refusals.keys();
    if (this.refusals.size >= REFUSALS_MAX) this.refusals.delete(oldest);
    this.refusals.set(nameOf(peers, row), now + REFUSED_MS);
  }
}

/** Sets TCP, or UDP again, in the Via of the request at `at`; its Via is the first row. */
export function nameTransport(bytes: Uint8Array, at: number, isTcp: boolean): void {
  const via = bytes.indexOf(VIA[0], at);
  bytes.set(isTcp ? TCP : UDP, via + VIA.length);
}

function nameOf({ family, ip, port }: Peers, row: number): string {
  return `${Buffer.from(ip.buffer, ip.byteOffset + (row << 4), family[row] === 6 ? 16 : 4).toString('hex')} ${port[row]}`;
}
