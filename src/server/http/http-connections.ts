// The connections of an HTTP listener: limits in all and by source, silent ones closed first when there are too many, and some
// beyond the limits for health alone.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { parseIp } from '../../sip/ip.ts';
import { Descriptors } from '../../transport/linux/descriptors.ts';

export interface ConnectionLimits {
  /** The listener's share of the process's descriptors. */
  readonly descriptors: Parameters<Descriptors['hasCapacity']>[0];
  /** Connections in all, and from an IPv4 address or an IPv6 /64. */
  readonly connections: number;
  readonly perSource: number;
  /** Further connections, for health alone. */
  readonly forHealth: number;
}

interface Client {
  readonly socket: Socket;
  readonly source: string;
  readonly healthOnly: boolean;
  /** Requests in progress. */
  busy: number;
  /** Whether it has ever sent a request. */
  asked: boolean;
}

export class HttpConnections {
  /** Connections that were closed for others, or refused. */
  dropped = 0;
  private readonly limits: ConnectionLimits;
  private readonly descriptors = new Descriptors();
  /** By the peer's address and port, which are the same for a socket inside TLS and the one around it; the oldest first. */
  private readonly clients = new Map<string, Client>();

  constructor(server: Server, limits: ConnectionLimits) {
    this.limits = limits;
    server.on('connection', (socket: Socket) => this.accept(socket));
  }

  /** A request has arrived. @returns whether its connection may ask for health alone */
  begins(socket: Socket): boolean {
    const client = this.clients.get(keyOf(socket));
    if (client === undefined) return false;
    client.busy++;
    client.asked = true;
    return client.healthOnly;
  }

  /** The request has been answered. */
  ends(socket: Socket): void {
    const client = this.clients.get(keyOf(socket));
    if (client !== undefined) client.busy--;
  }

  private accept(socket: Socket): void {
    const key = keyOf(socket);
    const source = sourceOf(socket);
    const hasDescriptor =
      this.descriptors.hasCapacity(this.limits.descriptors) || this.drop([...this.clients.values()]);
    const healthOnly = !hasDescriptor || !this.dropForNew(source);
    if (healthOnly && !this.dropForHealth()) {
      this.dropped++;
      socket.destroy();
      return;
    }
    const client = { socket, source, healthOnly, busy: 0, asked: false };
    this.clients.set(key, client);
    socket.once('close', () => {
      if (this.clients.get(key) === client) this.clients.delete(key);
    });
  }

  private dropForNew(source: string): boolean {
    const usual = [...this.clients.values()].filter(({ healthOnly }) => !healthOnly);
    const own = usual.filter((client) => client.source === source);
    if (own.length >= this.limits.perSource) return this.drop(own);
    return usual.length < this.limits.connections || this.drop(usual);
  }

  private dropForHealth(): boolean {
    const others = [...this.clients.values()].filter(({ healthOnly }) => healthOnly);
    return others.length < this.limits.forHealth || this.drop(others);
  }

  /**
   * Closes the oldest connection that has never sent a request, else the oldest without one in progress; false where all are busy.
   */
  private drop(clients: readonly Client[]): boolean {
    const idle = clients.filter(({ busy }) => busy === 0);
    const victim = idle.find(({ asked }) => !asked) ?? idle[0];
    if (victim === undefined) return false;
    this.dropped++;
    this.clients.delete(keyOf(victim.socket));
    victim.socket.destroy();
    return true;
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function sourceOf(socket: Socket): string {
  const ip = new Uint8Array(16);
  const address = (socket.remoteAddress ?? '').split('%', 1)[0];
  const family = parseIp(address, ip, 0);
  return family === 6 ? String(ip.subarray(0, 8)) : address;
}
