// SIP over WebSocket (RFC 7118) on uWebSockets.js, on the thread that opens it: handshakes, frames, pings and limits.
// Only this file knows uWebSockets.js. It neither reads messages nor chooses their shard.

import { STATUS_CODES } from 'node:http';
import { formatIp } from '../../sip/ip.ts';
import { every } from '../every.ts';
import { HandshakeCounts } from '../flow/handshake-counts.ts';
import type { StreamListener } from '../flow/stream-listener.ts';
import { bindError, formatListener, type ListenAddress, TRANSPORT_CODE } from '../listener.ts';
import { RELOAD_CHECK_MS, TlsContexts } from '../node/tls-contexts.ts';
import type { CertificateFiles } from '../node/tls-files.ts';
import type * as Uws from './uws-api.ts';
import { WebSocketConnection } from './websocket-connection.ts';
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

/** LIBUS_LISTEN_EXCLUSIVE_PORT: not beside another server on the same port. */
const LISTEN_EXCLUSIVELY = 1;
const SEND_DROPPED = 2;
/** The library closes a connection whose handshake is unfinished after 10 s, give or take its tick of 4 s. */
const HANDSHAKE_MS_MAX = 14_000;
/** For TLS 1.2, the oldest version the library speaks; TLS 1.3 brings its own. */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';

/** The library copies its properties to the socket's object. */
interface UserData {
  readonly connection: WebSocketConnection;
}

/** Opens one listener. Throws an Error whose message names the missing part: address, certificate or key. */
export function openUwsListener(library: Uws.UWebSockets, options: WebSocketOptions): StreamListener {
  return new Listener(library, options);
}

class Listener implements StreamListener {
  readonly address: ListenAddress;
  private readonly uws: Uws.UWebSockets;
  private readonly options: WebSocketOptions;
  private readonly open = new Set<WebSocketConnection>();
  private readonly handshakes = new HandshakeCounts(HANDSHAKE_MS_MAX);
  private readonly apps: Uws.App[] = [];
  /** Null without TLS. It checks the files, which the library would refuse without a reason, and notices their changes. */
  private readonly contexts: TlsContexts | null;
  private readonly watch: NodeJS.Timeout;
  private socket: Uws.ListenSocket | null = null;
  private paused = false;

  constructor(uws: Uws.UWebSockets, options: WebSocketOptions) {
    this.uws = uws;
    this.options = options;
    this.contexts = options.tls === undefined ? null : new TlsContexts(options.tls);
    this.socket = this.listen(this.app(), options.address.port);
    this.address = { ...options.address, port: uws.us_socket_local_port(this.socket) };
    this.watch = every(
      RELOAD_CHECK_MS,
      () => {
        if (this.contexts?.stale) this.reload();
      },
      (error) => options.events.error(options.listener, error),
    );
  }

  /** Open connections stay with the app that accepted them. */
  reload(): void {
    if (this.contexts === null || this.paused) return;
    const { events, listener } = this.options;
    try {
      this.contexts.reload();
      const app = this.app();
      this.stopListening();
      this.socket = this.listen(app, this.address.port);
      events.notice('certificates read', { listener, certificates: this.contexts.shown });
    } catch (error) {
      events.error(listener, error as Error);
    }
  }

  pause(): void {
    this.paused = true;
    this.stopListening();
  }

  async close(): Promise<void> {
    this.pause();
    clearInterval(this.watch);
    for (const connection of this.open) connection.close();
    // A turn of the event loop, for bytes that have just been written.
    await new Promise((resolve) => setImmediate(resolve));
    for (const app of this.apps.splice(0)) app.close();
  }

  private stopListening(): void {
    if (this.socket !== null) this.uws.us_listen_socket_close(this.socket);
    this.socket = null;
  }

  private app(): Uws.App {
    const { tls } = this.options;
    const app = tls === undefined ? this.uws.App({}) : this.uws.SSLApp(appOptions(tls));
    app.filter((response, change) => this.counted(response, Number(change)));
    this.serve(app);
    for (const [name, files] of Object.entries(tls?.domains ?? {})) {
      app.addServerName(name.toLowerCase(), appOptions(files));
      this.serve(app.domain(name.toLowerCase()));
    }
    this.apps.push(app);
    return app;
  }

  /** The routes of one server name, or of none. */
  private serve(app: Uws.App): void {
    app.ws<UserData>('/*', this.behaviour());
    app.any('/*', (response) => refuse(response, NO_WEBSOCKET));
  }

  private behaviour(): Uws.WebSocketBehavior<UserData> {
    const { policy, webSocket, messageBytesMax, flows, events } = this.options;
    return {
      compression: this.uws.DISABLED,
      maxPayloadLength: messageBytesMax,
      idleTimeout: webSocket.idleS,
      sendPingsAutomatically: true,
      maxBackpressure: policy.unsentBytesMax,
      closeOnBackpressureLimit: true,
      upgrade: (response, request, context) => this.upgrade(response, request, context),
      open: (socket) => {
        const { connection } = socket.getUserData();
        connection.attach({
          send: (message, isBinary) => socket.send(message, isBinary) !== SEND_DROPPED,
          end: (code, reason) => socket.end(code, reason),
        });
        this.open.add(connection);
      },
      message: (socket, message) => {
        if (!this.paused) socket.getUserData().connection.receive(new Uint8Array(message));
      },
      close: (socket) => {
        const { connection } = socket.getUserData();
        connection.attach(null);
        this.open.delete(connection);
        if (flows.ended(connection.token)) events.closed(connection.token);
      },
    };
  }

  private listen(app: Uws.App, port: number): Uws.ListenSocket {
    const { host, transport } = this.options.address;
    let socket: Uws.ListenSocket | false = false;
    app.listen(host, port, LISTEN_EXCLUSIVELY, (result) => {
      socket = result;
    });
    // The library gives no reason.
    if (socket === false) throw bindError('EADDRINUSE', formatListener(transport, host, port));
    if (port !== 0) return socket;
    // The library allows a port to be bound anew beside open connections only where the port is given.
    const free = this.uws.us_socket_local_port(socket);
    this.uws.us_listen_socket_close(socket);
    return this.listen(app, free);
  }

  /** A connection opened (+1), or one that never became a WebSocket closed (-1); the library does not name it. */
  private counted(response: Uws.HttpResponse, change: number): void {
    if (change < 0) return this.handshakes.remove(null);
    const now = performance.now();
    const address = textOf(response.getRemoteAddress());
    const waiting = this.handshakes.of(address, now);
    const { flows } = this.options;
    if (flows.mayKeep() && flows.hasCapacity(address, this.handshakes.total, waiting))
      return this.handshakes.add(address, now);
    // Before TLS has cost anything.
    this.handshakes.add(null, now);
    response.close();
  }

  private upgrade(response: Uws.HttpResponse, request: Uws.HttpRequest, context: Uws.SocketContext): void {
    const { webSocket, handshake: hook } = this.options;
    const fault = faultOf(
      {
        version: request.getHeader('sec-websocket-version'),
        protocols: protocolsOf(request),
        origin: request.getHeader('origin'),
      },
      webSocket.origins,
    );
    if (fault !== undefined) return refuse(response, fault);
    const peer = textOf(response.getRemoteAddress());
    const address = this.clientAddress(peer, request);
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const authorization = authorizationOf(request.getHeader('cookie'), webSocket.tokenCookie);
    const accept = () => {
      const connection = this.openFlow(response, address);
      if (connection === null) return refuse(response, NO_CAPACITY);
      connection.authorization = authorization;
      this.handshakes.remove(peer);
      response.upgrade<UserData>({ connection }, key, SIP_PROTOCOL, extensions, context);
    };
    if (hook === undefined) return accept();
    const giveUp = askHook(hook, describe(request, address), (refusal) =>
      response.cork(() => (refusal === undefined ? accept() : refuse(response, refusal))),
    );
    response.onAborted(giveUp);
  }

  private openFlow(response: Uws.HttpResponse, address: string): WebSocketConnection | null {
    const { flows, listener, address: own } = this.options;
    if (this.paused) return null;
    const connection = new WebSocketConnection(this.options);
    // The older build has no ports.
    const port = typeof response.getRemotePort === 'function' ? response.getRemotePort() : 0;
    connection.token = flows.open(connection, { transport: TRANSPORT_CODE[own.transport], listener, address, port });
    return connection.token === 0 ? null : connection;
  }

  /** The client's address: the peer's, or the one that a trusted proxy names. */
  private clientAddress(peer: string, request: Uws.HttpRequest): string {
    const forwarded = request.getHeader('x-forwarded-for');
    if (forwarded === '' || !this.options.trustsProxy?.(peer)) return peer;
    return forwardedFor(forwarded) ?? peer;
  }
}

function appOptions({ certFile, keyFile }: CertificateFiles): Uws.AppOptions {
  return {
    cert_file_name: certFile,
    key_file_name: keyFile,
    ssl_ciphers: CIPHERS,
    ssl_prefer_low_memory_usage: true,
  };
}

/** All rows are one list (RFC 6455 §11.3.4); the library gives one row by its name. */
function protocolsOf(request: Uws.HttpRequest): string {
  const rows: string[] = [];
  request.forEach((name, value) => {
    if (name === 'sec-websocket-protocol') rows.push(value);
  });
  return rows.join(',');
}

function refuse(response: Uws.HttpResponse, { status, text }: Refusal): void {
  const { code, headers } = refusalHead(status);
  response.writeStatus(`${code} ${STATUS_CODES[code] ?? 'Refused'}`);
  for (const [name, value] of headers) response.writeHeader(name, value);
  response.end(`${text}\n`, true);
}

/** An address of four or sixteen bytes as text; an IPv4-mapped IPv6 address becomes IPv4 again. */
function textOf(address: ArrayBuffer): string {
  const bytes = new Uint8Array(address);
  if (bytes.length !== 16) return formatIp(4, bytes, 0);
  const mapped = bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0);
  return mapped ? formatIp(4, bytes, 12) : formatIp(6, bytes, 0);
}

function describe(request: Uws.HttpRequest, address: string): Handshake {
  const query = request.getQuery();
  return {
    url: !query ? request.getUrl() : `${request.getUrl()}?${query}`,
    host: request.getHeader('host'),
    origin: request.getHeader('origin'),
    cookie: request.getHeader('cookie'),
    userAgent: request.getHeader('user-agent'),
    authorization: request.getHeader('authorization'),
    address,
  };
}
