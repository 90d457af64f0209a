// Header rows of a 200 that depend on the domain or the AOR alone: Service-Route (RFC 3608 §6.3) and P-Associated-URI
// (RFC 7315 §4.1.2). Made beforehand from the policy, found by bytes.
// @hot

import { AT_SIGN, sameBytes } from '../../sip/scanner.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import type { Outbox } from '../uas/outbox.ts';
import type { Policy } from '../uas/policy.ts';

const EVERY_DOMAIN = '*';

/** Rows by name: by its hash, then byte by byte. */
class RowTable {
  readonly isEmpty: boolean;
  private readonly byHash = new Map<number, { name: Uint8Array; row: Uint8Array }[]>();

  constructor(header: string, values: Readonly<Record<string, readonly string[]>>) {
    const filled = Object.entries(values).filter(([, list]) => list.length > 0);
    this.isEmpty = filled.length === 0;
    for (const [key, list] of filled) {
      const name = latin1(key);
      const hash = hashOf(name, 0, name.length);
      const rows = this.byHash.get(hash) ?? [];
      rows.push({ name, row: ascii(`${header}: ${list.join(', ')}\r\n`) });
      this.byHash.set(hash, rows);
    }
  }

  find(bytes: Uint8Array, at: number, end: number): Uint8Array | undefined {
    const found = this.byHash.get(hashOf(bytes, at, end));
    if (found === undefined) return undefined;
    for (let i = 0; i < found.length; i++) {
      const { name, row } = found[i];
      if (sameBytes(bytes, at, end, name, 0, name.length)) return row;
    }
    return undefined;
  }
}

export class HomeHeaders {
  private readonly routes: RowTable;
  private readonly routeOfEvery: Uint8Array | undefined;
  private readonly associated: RowTable;

  constructor(policy: Policy) {
    this.routes = new RowTable('Service-Route', policy.serviceRoutes);
    const every = ascii(EVERY_DOMAIN);
    this.routeOfEvery = this.routes.find(every, 0, every.length);
    this.associated = new RowTable('P-Associated-URI', policy.associatedUris);
  }

  /** There are none for any AOR. */
  get isEmpty(): boolean {
    return this.routes.isEmpty && this.associated.isEmpty;
  }

  /** Writes the rows for the outbox's AOR, into its answer unless another place is given. */
  write(out: Outbox, w: Writer = out.answer): void {
    if (!this.routes.isEmpty) {
      const host = out.aor.lastIndexOf(AT_SIGN, out.aorLength - 1) + 1;
      const row = this.routes.find(out.aor, host, out.aorLength) ?? this.routeOfEvery;
      if (row !== undefined) w.text(row);
    }
    if (this.associated.isEmpty) return;
    const row = this.associated.find(out.aor, 0, out.aorLength);
    if (row !== undefined) w.text(row);
  }
}

/** @cold */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  for (let i = at; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return hash;
}
