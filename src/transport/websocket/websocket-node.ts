// SIP over WebSocket on node:http and the package ws: the same handshake, policy and limits as on uWebSockets.js, and the limit of
// incomplete messages, which that does not report. Only this file and node-connection.ts know ws.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import { every } from '../every.ts';
import type { StreamListener } from '../flow/stream-listener.ts';
import { bindError, formatListener, type ListenAddress, TRANSPORT_CODE } from '../listener.ts';
import { monotonicMs } from '../monotonic.ts';
import { RELOAD_CHECK_MS, TlsContexts } from '../node/tls-contexts.ts';
import { NodeConnection } from './node-connection.ts';
import {
  askHook,
  faultOf,
  forwardedFor,
  type Handshake,
  NO_CAPACITY,
  NO_WEBSOCKET,
  type Refusal,
  refusalHead,
  SIP_PROTOCOL,
} from './websocket-handshake.ts';
import type { WebSocketOptions } from './websocket-options.ts';
import { authorizationOf } from './websocket-token.ts';

/** Interval of the search for silent connections and slow messages. */
const SWEEP_MS = 1000;
/** Time for a peer to read the close of its connection. */
const CLOSE_MS = 2000;
/** The same at a stop of the server. */
const STOP_MS = 500;
const BACKLOG = 4096;

/** Binds; rejects where the address cannot be bound, and throws where a TLS file cannot be read. */
export async function openNodeWebSocketListener(options: WebSocketOptions): Promise<StreamListener> {
  const listener = new NodeListener(options);
  await listener.bind();
  return listener;
}

class NodeListener implements StreamListener {
  address: ListenAddress;
  private readonly options: WebSocketOptions;
  private readonly server: Server;
  private readonly webSockets: WebSocketServer;
  private readonly contexts: TlsContexts | null;
  private readonly open = new Set<NodeConnection>();
  /** Sockets that have not become WebSockets, by source and port: a socket inside TLS has the same ones as the socket around it. */
  private readonly waiting = new Map<string, Map<number, Socket>>();
  private waitingCount = 0;
  private readonly timers: NodeJS.Timeout[];
  private paused = false;

  constructor(options: WebSocketOptions) {
    const { policy, tls, events, listener, webSocket, messageBytesMax } = options;
    this.options = options;
    this.address = options.address;
    this.contexts = tls === undefined ? null : new TlsContexts(tls);
    const times = {
      headersTimeout: policy.messageMs,
      requestTimeout: policy.messageMs,
      connectionsCheckingInterval: SWEEP_MS,
    };
    const { contexts } = this;
    this.server =
      contexts === null
        ? createServer(times)
        : createTlsServer({
            ...times,
            ...contexts.options,
            SNICallback: (name, done) => done(null, contexts.of(name)),
            handshakeTimeout: policy.messageMs,
            ALPNProtocols: ['http/1.1'],
          });
    const settings: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false, // decisions/0056
      maxPayload: messageBytesMax,
      handleProtocols: () => SIP_PROTOCOL,
      closeTimeout: CLOSE_MS,
    };
    this.webSockets = new WebSocketServer(settings);
    this.server.on('connection', (socket: Socket) => this.accept(socket));
    this.server.on('tlsClientError', () => {
      options.flows.counts.tlsFailed++;
    });
    this.server.on('request', (_request, response) => {
      const { code, headers } = refusalHead(NO_WEBSOCKET.status);
      response.writeHead(code, [...headers.flat(), 'Connection', 'close']).end(`${NO_WEBSOCKET.text}\n`);
    });
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    const failed = (error: Error) => events.error(listener, error);
    this.timers = [
      every(SWEEP_MS, () => this.sweep(monotonicMs(), webSocket.idleS * 1000), failed),
      every(RELOAD_CHECK_MS, () => this.contexts?.stale && this.reload(), failed),
    ];
  }

  bind(): Promise<void> {
    const { host, port, transport } = this.options.address;
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        for (const timer of this.timers) clearInterval(timer);
        reject(bindError(error.code ?? error.message, formatListener(transport, host, port)));
      });
      server.listen({ host, port, ipv6Only: host.includes(':'), backlog: BACKLOG }, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.options.events.error(this.options.listener, error));
        this.address = { ...this.options.address, port: (server.address() as AddressInfo).port };
        resolve();
      });
    });
  }

  /** Open connections keep their certificates. */
  reload(): void {
    const { events, listener } = this.options;
    if (this.contexts === null || this.paused) return;
    try {
      this.contexts.reload();
      (this.server as TlsServer).setSecureContext(this.contexts.options);
      events.notice('certificates read', { listener, certificates: this.contexts.shown });
    } catch (error) {
      events.error(listener, error as Error);
    }
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.server.close();
    for (const sockets of this.waiting.values()) for (const socket of sockets.values()) socket.destroy();
  }

  async close(): Promise<void> {
    this.pause();
    for (const timer of this.timers) clearInterval(timer);
    for (const connection of this.open) connection.close();
    await this.emptied(STOP_MS);
    for (const connection of this.open) connection.terminate();
    await this.emptied(STOP_MS);
  }

  private async emptied(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (this.open.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Accepts within the limits, before TLS or HTTP have cost anything. */
  private accept(socket: Socket): void {
    const { flows } = this.options;
    const source = socket.remoteAddress ?? '';
    const port = socket.remotePort ?? 0;
    const here = this.waiting.get(source) ?? new Map<number, Socket>();
    socket.on('error', () => socket.destroy());
    if (this.paused || !flows.mayKeep() || !flows.hasCapacity(source, this.waitingCount, here.size)) {
      socket.destroy();
      return;
    }
    this.waiting.set(source, here.set(port, socket));
    this.waitingCount++;
    socket.once('close', () => {
      if (this.waiting.get(source)?.get(port) === socket) this.doneWaiting(source, port);
    });
  }

  private doneWaiting(source: string, port: number): void {
    const here = this.waiting.get(source);
    if (here === undefined || !here.delete(port)) return;
    this.waitingCount--;
    if (here.size === 0) this.waiting.delete(source);
  }

  private upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { webSocket, handshake: hook, trustsProxy } = this.options;
    const socket = stream as Socket;
    socket.on('error', () => socket.destroy());
    const { headers } = request;
    const text = (name: string) => String(headers[name] ?? '');
    if (text('upgrade').toLowerCase() !== 'websocket') return refuse(socket, NO_WEBSOCKET);
    const fault = faultOf(
      { version: text('sec-websocket-version'), protocols: text('sec-websocket-protocol'), origin: text('origin') },
      webSocket.origins,
    );
    if (fault !== undefined) return refuse(socket, fault);
    const peer = socket.remoteAddress ?? '';
    const forwarded = text('x-forwarded-for');
    const address = forwarded !== '' && trustsProxy?.(peer) ? (forwardedFor(forwarded) ?? peer) : peer;
    const settle = (refusal: Refusal | undefined) =>
      refusal === undefined ? this.letIn(request, socket, head, address) : refuse(socket, refusal);
    if (hook === undefined) return settle(undefined);
    const giveUp = askHook(hook, describe(request, address), settle);
    socket.once('close', giveUp);
  }

  private letIn(request: IncomingMessage, socket: Socket, head: Buffer, address: string): void {
    const { flows, events, listener, address: own } = this.options;
    const { tokenCookie } = this.options.webSocket;
    const { remotePort: port } = socket;
    const peer = socket.remoteAddress ?? '';
    const flow = { transport: TRANSPORT_CODE[own.transport], listener, address, port };
    if (this.paused || !flows.hasCapacity(address, 0, 0)) return refuse(socket, NO_CAPACITY);
    this.webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new NodeConnection(this.options, webSocket, socket);
      connection.authorization = authorizationOf(request.headers.cookie ?? '', tokenCookie);
      connection.token = flows.open(connection, flow);
      if (connection.token === 0) return connection.terminate();
      this.doneWaiting(peer, port ?? 0);
      this.open.add(connection);
      webSocket.once('close', () => {
        connection.attach(null);
        this.options.halves.ended(connection);
        this.open.delete(connection);
        if (flows.ended(connection.token)) events.closed(connection.token);
      });
    });
  }

  private sweep(now: number, idleMs: number): void {
    for (const connection of this.open) connection.sweep(now, idleMs);
  }
}

function refuse(socket: Socket, { status, text }: Refusal): void {
  const { code, headers } = refusalHead(status);
  const body = `${text}\n`;
  const rows = [...headers, ['Connection', 'close'], ['Content-Length', String(body.length)]];
  const head = [`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Refused'}`, ...rows.map((row) => row.join(': '))];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}

function describe({ url = '/', headers }: IncomingMessage, address: string): Handshake {
  return {
    url,
    host: headers.host ?? '',
    origin: headers.origin ?? '',
    cookie: headers.cookie ?? '',
    userAgent: headers['user-agent'] ?? '',
    authorization: headers.authorization ?? '',
    address,
  };
}
