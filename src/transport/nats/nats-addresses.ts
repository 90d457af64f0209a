// Addresses of the NATS servers, in memory that threads share. A thread with an event loop looks their names up, again and again; a
// thread without one connects to the addresses stored here.

import { parseIp } from '../../sip/ip.ts';

/** `nats://HOST:PORT`, or `tls://HOST:PORT`. */
export interface NatsServer {
  readonly host: string;
  readonly port: number;
  /** Nothing is sent to it before the connection is encrypted and the server has proved its name. */
  readonly tls?: boolean;
}

const ROW_BYTES = 32;
const FAMILY = 0;
const PORT = 2;
const IP = 8;

export function createAddressMemory(servers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(servers * ROW_BYTES);
}

export class NatsAddresses {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
  }

  get count(): number {
    return this.bytes.length / ROW_BYTES;
  }

  /** 4, 6, or 0 where the name is not known yet. */
  family(server: number): number {
    return this.bytes[server * ROW_BYTES + FAMILY];
  }

  port(server: number): number {
    return this.view.getUint16(server * ROW_BYTES + PORT);
  }

  /** Copies the address: 4 or 16 bytes. */
  copyIp(server: number, into: Uint8Array, at: number): void {
    const from = server * ROW_BYTES + IP;
    const size = this.family(server) === 6 ? 16 : 4;
    for (let i = 0; i < size; i++) into[at + i] = this.bytes[from + i];
  }

  /** @param address IPv4 or IPv6 */
  set(server: number, address: string, port: number): void {
    const ip = new Uint8Array(16);
    const family = parseIp(address, ip, 0);
    if (family === 0) return;
    this.bytes.set(ip, server * ROW_BYTES + IP);
    this.view.setUint16(server * ROW_BYTES + PORT, port);
    this.bytes[server * ROW_BYTES + FAMILY] = family;
  }
}
