// TCP listeners by node:net: accepting within the limits, and the sweep that closes silent and slow connections.
// stream-connection reads a connection's bytes; tls-listener adds TLS.

import { createServer, type Server, type Socket } from 'node:net';
import { every } from '../every.ts';
import { Paced } from '../flow/paced.ts';
import { type ConnectionOptions, StreamConnection } from '../flow/stream-connection.ts';
import type { StreamListener, StreamListenerOptions } from '../flow/stream-listener.ts';
import { bindError, formatListener, TRANSPORT_CODE } from '../listener.ts';
import { monotonicMs } from '../monotonic.ts';

/** Interval of the search for silent and slow connections. */
const SWEEP_MS = 1000;
/** Time at a stop for answers to leave. */
const CLOSE_MS = 2000;
/** Time for farewells to closing connections before other events are handled. */
const GOODBYES_MS = 8;
/** Connections that the kernel keeps until they are accepted: a storm of them must not be refused. */
const BACKLOG = 4096;

/** Binds; rejects where the address cannot be bound. */
export async function openTcpListener(options: StreamListenerOptions): Promise<StreamListener> {
  const listener = new TcpListener(options, (socket, connection) => connection.start(socket));
  await listener.bind();
  return listener;
}

export class TcpListener implements StreamListener {
  address: StreamListenerOptions['address'];
  private readonly options: ConnectionOptions;
  private readonly accepted: (socket: Socket, connection: StreamConnection) => void;
  private readonly server: Server;
  private readonly connections = new Set<StreamConnection>();
  private readonly sweeper: NodeJS.Timeout;
  private readonly goodbyes = new Paced<StreamConnection>((connection) => connection.leave(), GOODBYES_MS, 0);
  private paused = false;
  private closed: (() => void) | undefined;

  /** @param accepted starts with the bytes of an admitted connection */
  constructor(options: StreamListenerOptions, accepted: (socket: Socket, connection: StreamConnection) => void) {
    const leaving = (connection: StreamConnection) => this.goodbyes.add(connection);
    this.options = { ...options, gone: (connection) => this.gone(connection), leaving };
    this.accepted = accepted;
    this.address = options.address;
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void this.take(socket));
    this.sweeper = every(
      SWEEP_MS,
      () => this.sweep(monotonicMs()),
      (error) => options.events.error(options.listener, error),
    );
  }

  bind(): Promise<void> {
    const { host, port, transport } = this.options.address;
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        clearInterval(this.sweeper);
        reject(bindError(error.code ?? error.message, formatListener(transport, host, port)));
      });
      const { inherited } = this.options;
      const address = { host, port, ipv6Only: host.includes(':') };
      server.listen({ ...(inherited === undefined ? address : { fd: inherited }), backlog: BACKLOG }, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.options.events.error(this.options.listener, error));
        const bound = server.address();
        this.address = { transport, host, port: bound !== null && typeof bound === 'object' ? bound.port : port };
        resolve();
      });
    });
  }

  pause(): void {
    this.paused = true;
    this.server.close();
    for (const connection of this.connections) connection.pause();
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    this.goodbyes.finish();
    for (const connection of this.connections) connection.close();
    if (this.connections.size === 0) return;
    const late = setTimeout(() => {
      for (const connection of this.connections) connection.destroy();
    }, CLOSE_MS);
    await new Promise<void>((resolve) => {
      this.closed = resolve;
    });
    clearTimeout(late);
  }

  /** Whether there is capacity for one more connection with this address, beside `pending` ones without a flow. */
  hasCapacity(address: string, pending: number): boolean {
    return this.options.flows.hasCapacity(address, pending, 0);
  }

  /** Makes an open socket a connection of this listener; null, and the socket is closed, where the limits allow none. */
  take(socket: Socket): StreamConnection | null {
    const { flows, listener, address } = this.options;
    const connection = new StreamConnection(socket, this.options);
    connection.token =
      this.paused || !flows.mayKeep()
        ? 0
        : flows.open(connection, {
            transport: TRANSPORT_CODE[address.transport],
            listener,
            address: socket.remoteAddress,
            port: socket.remotePort,
          });
    if (connection.token === 0) {
      socket.destroy();
      return null;
    }
    this.connections.add(connection);
    connection.watch();
    this.accepted(socket, connection);
    return connection;
  }

  private gone(connection: StreamConnection): void {
    const { flows, events } = this.options;
    this.connections.delete(connection);
    if (flows.ended(connection.token)) events.closed(connection.token);
    if (this.connections.size === 0) this.closed?.();
  }

  private sweep(now: number): void {
    const { policy, flows } = this.options;
    for (const connection of this.connections) {
      const slow = connection.messageSince > 0 && now - connection.messageSince > policy.messageMs;
      if (!slow && now - connection.heardAt <= policy.idleMs) continue;
      flows.counts[slow ? 'slow' : 'idle']++;
      connection.destroy();
    }
  }
}
