// Requests that are too large for UDP (RFC 3261 §18.1.1): they go by TCP to the same address, unless their peer has refused that of late.

import { type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';

/** Beyond it a request is large: the MTU of the path is not known. */
const LARGE_BYTES = 1300;
/** How long a peer that takes no connection is sent everything by UDP. */
const REFUSED_MS = 3_600_000;
/** Peers known to take none; beyond it the first one is tried again. */
const REFUSALS_MAX = 10_000;

const VIA = Buffer.from('\r\nVia: SIP/2.0/');
const UDP = Buffer.from('UDP');
const TCP = Buffer.from('TCP');

export class LargeRequests {
  private readonly opens: boolean;
  /** By peer: until when. */
  private readonly refusals = new Map<string, number>();

  /** @param opens whether there is somebody to open connections */
  constructor(opens: boolean) {
    this.opens = opens;
  }

  /** Whether a request of so many bytes leaves by TCP though its peer is known by UDP. */
  takes(length: number, peers: Peers, row: number, now: number): boolean {
    if (length <= LARGE_BYTES || !this.opens) return false;
    // A link-local address has its scope in place of a flow, which a connection could not be told.
    if (peers.transport[row] !== TRANSPORT_UDP || peers.flow[row] !== 0) return false;
    return (this.refusals.get(nameOf(peers, row)) ?? 0) <= now;
  }

  /** A peer takes no connection, or answers nothing by it. */
  refused(peers: Peers, row: number, now: number): void {
    const [oldest] = this.refusals.keys();
    if (this.refusals.size >= REFUSALS_MAX) this.refusals.delete(oldest);
    this.refusals.set(nameOf(peers, row), now + REFUSED_MS);
  }
}

/** The request at `at`, whose first row is its Via, names TCP there; or UDP again. */
export function nameTransport(bytes: Uint8Array, at: number, isTcp: boolean): void {
  const via = bytes.indexOf(VIA[0], at);
  bytes.set(isTcp ? TCP : UDP, via + VIA.length);
}

function nameOf({ family, ip, port }: Peers, row: number): string {
  return `${Buffer.from(ip.buffer, ip.byteOffset + (row << 4), family[row] === 6 ? 16 : 4).toString('hex')} ${port[row]}`;
}
