// TLS over the TCP listener's connections: handshakes by node:tls, within the same limits, a certificate by name, a
// client certificate where asked for. stream-connection reads the decrypted bytes.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { every } from '../every.ts';
import type { StreamConnection } from '../flow/stream-connection.ts';
import type { StreamListener, StreamListenerOptions } from '../flow/stream-listener.ts';
import { TcpListener } from './tcp-listener.ts';
import { RELOAD_CHECK_MS, TlsContexts } from './tls-contexts.ts';
import type { TlsFiles } from './tls-files.ts';
import { peerIdentities } from './tls-identity.ts';

export interface TlsListenerOptions extends StreamListenerOptions {
  readonly tls: TlsFiles;
}

/** Binds; rejects where the address cannot be bound, or the files cannot be read. */
export async function openTlsListener(options: TlsListenerOptions): Promise<StreamListener> {
  const handshakes = new Handshakes(options);
  const listener = new TcpListener(options, (socket, connection) => handshakes.begin(socket, connection));
  try {
    await listener.bind();
  } catch (error) {
    handshakes.close();
    throw error;
  }
  return {
    address: listener.address,
    pause: () => listener.pause(),
    close: () => {
      handshakes.close();
      return listener.close();
    },
    reload: () => handshakes.reload(),
  };
}

class Handshakes {
  private readonly options: TlsListenerOptions;
  private readonly contexts: TlsContexts;
  private readonly server: Server;
  private readonly trusted: ReadonlySet<string>;
  /** Connections with a handshake in progress, by the peer's address and port. */
  private readonly waiting = new Map<string, StreamConnection>();
  private readonly watch: NodeJS.Timeout;

  constructor(options: TlsListenerOptions) {
    const { tls } = options;
    this.options = options;
    this.contexts = new TlsContexts(tls);
    this.trusted = new Set((tls.trustedDomains ?? []).map((name) => name.toLowerCase()));
    const ask = tls.clientCertificates ?? (tls.caFile === undefined ? 'none' : 'optional');
    this.server = createServer({
      ...this.contexts.options,
      SNICallback: (name, done) => done(null, this.contexts.of(name)),
      requestCert: ask !== 'none',
      rejectUnauthorized: ask === 'required',
      handshakeTimeout: options.policy.messageMs,
    });
    this.server.on('secureConnection', (socket) => this.secured(socket));
    this.server.on('tlsClientError', (_error, socket) => {
      options.flows.counts.tlsFailed++;
      socket.destroy();
    });
    this.watch = every(
      RELOAD_CHECK_MS,
      () => {
        if (this.contexts.stale) this.reload();
      },
      (error) => options.events.error(options.listener, error),
    );
  }

  begin(socket: Socket, connection: StreamConnection): void {
    const key = peerOf(socket);
    this.waiting.set(key, connection);
    socket.once('close', () => this.waiting.delete(key));
    this.server.emit('connection', socket);
  }

  /** Reads certificates and keys again; where they cannot be read, all stays as it was, and an error is reported. */
  reload(): void {
    const { events, listener } = this.options;
    try {
      this.contexts.reload();
      this.server.setSecureContext(this.contexts.options);
      events.notice('certificates read', { listener, certificates: this.contexts.shown });
    } catch (error) {
      events.error(listener, error as Error);
    }
  }

  close(): void {
    clearInterval(this.watch);
  }

  private secured(socket: TLSSocket): void {
    const key = peerOf(socket);
    const connection = this.waiting.get(key);
    this.waiting.delete(key);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    if (this.trusted.size > 0 && peerIdentities(socket).some((name) => this.trusted.has(name)))
      this.options.flows.vouch(connection.token);
    connection.start(socket);
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
