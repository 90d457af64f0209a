// SIP over WebSocket (RFC 7118) on uWebSockets.js, on the thread that opens it: handshakes, frames, pings and limits.
// The only file that knows uWebSockets.js. What messages mean, and which shard gets them, is not decided here.

import { isUtf8 } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import { every } from './every.ts';
import type { Connection } from './flows.ts';
import { HandshakeCounts } from './handshake-counts.ts';
import { bindError, formatIp, formatListener } from './ip-address.ts';
import { type ListenAddress, TRANSPORT_CODE } from './listen-address.ts';
import type { StreamListener, StreamListenerOptions } from './stream-listener.ts';
import { RELOAD_CHECK_MS, TlsContexts } from './tls-contexts.ts';
import type { CertificateFiles, TlsFiles } from './tls-files.ts';
import { uWebSockets } from './uwebsockets.ts';
import type * as Uws from './uws-api.ts';
import {
  forwardedFor,
  type Handshake,
  type HandshakeHook,
  offersSip,
  originAllowed,
  SIP_PROTOCOL,
} from './websocket-handshake.ts';
import type { WebSocketPolicy } from './websocket-policy.ts';

export interface WebSocketOptions extends StreamListenerOptions {
  readonly webSocket: WebSocketPolicy;
  /** For WSS. */
  readonly tls?: TlsFiles;
  /** Whether this peer is a proxy whose X-Forwarded-For counts. */
  trustsProxy?(address: string): boolean;
  readonly handshake?: HandshakeHook;
}

/** LIBUS_LISTEN_EXCLUSIVE_PORT: not beside another server on the same port. */
const LISTEN_EXCLUSIVELY = 1;
const SEND_DROPPED = 2;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_OVERLOAD = 1013;
const HOOK_MS_MAX = 5000;
/** The library closes what has not finished its handshake after 10 s, give or take its tick of 4 s. */
const HANDSHAKE_MS_MAX = 14_000;
/** Bytes that wait per connection while a shard has no room; whoever sends more into that is cut off. */
const HELD_BYTES_MAX = 256 << 10;
/** For TLS 1.2, the oldest version the library speaks; TLS 1.3 brings its own. */
const CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';
const CRLF = new Uint8Array([0x0d, 0x0a]);

/** The library copies its properties to the socket's object. */
interface UserData {
  readonly connection: WebSocketConnection;
}

/** Opens one listener. Throws an Error whose message names what is missing: library, address, certificate or key. */
export function openWebSocketListener(options: WebSocketOptions): StreamListener {
  const library = uWebSockets();
  if (typeof library === 'string') throw new Error(`ws and wss listeners need uWebSockets.js: ${library}`);
  return new Listener(library, options);
}

/** One client, as its flow knows it. */
class WebSocketConnection implements Connection {
  token = 0;
  private readonly options: WebSocketOptions;
  private socket: Uws.WebSocket<UserData> | null = null;
  /** Messages that a shard had no room for, oldest first. The library cannot be told to stop reading. */
  private held: Uint8Array[] = [];
  private heldBytes = 0;

  constructor(options: WebSocketOptions) {
    this.options = options;
  }

  attach(socket: Uws.WebSocket<UserData> | null): void {
    this.socket = socket;
    if (socket === null) this.held = [];
  }

  /** A copy, as text, or as binary where it is no UTF-8 (RFC 7118 §4.2). Who reads too slowly is cut off. */
  send(bytes: Uint8Array, at: number, end: number): boolean {
    const message = bytes.subarray(at, end);
    return this.socket !== null && this.socket.send(message, !isUtf8(message)) !== SEND_DROPPED;
  }

  receive(message: Uint8Array): void {
    if (message.length <= 4 && message.every((byte) => byte === 0x0d || byte === 0x0a)) {
      // RFC 7118 §6, RFC 5626 §5.4: a double CRLF asks for a single one; less is a sign of life and no more.
      if (message.length === 4) this.socket?.send(CRLF, false);
      return;
    }
    if (this.held.length === 0 && this.options.events.message(this.token, message, 0, message.length)) return;
    this.heldBytes += message.length;
    if (this.heldBytes > HELD_BYTES_MAX) this.socket?.end(CLOSE_OVERLOAD, 'too much at once');
    else this.held.push(message.slice());
  }

  resume(): void {
    while (this.held.length > 0) {
      const [message] = this.held;
      if (!this.options.events.message(this.token, message, 0, message.length)) return;
      this.heldBytes -= message.length;
      this.held.shift();
    }
  }

  close(): void {
    this.socket?.end(CLOSE_GOING_AWAY, 'going away');
  }
}

class Listener implements StreamListener {
  readonly address: ListenAddress;
  private readonly uws: Uws.UWebSockets;
  private readonly options: WebSocketOptions;
  private readonly open = new Set<WebSocketConnection>();
  private readonly handshakes = new HandshakeCounts(HANDSHAKE_MS_MAX);
  private readonly apps: Uws.App[] = [];
  /** Null on ws. It checks the files, which the library would refuse without saying why, and sees them change. */
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

  /** Connections that there are go on with the app that took them in. */
  reload(): void {
    if (this.contexts === null || this.paused) return;
    const { events, listener } = this.options;
    try {
      this.contexts.reload();
      const app = this.app();
      this.stopListening();
      this.socket = this.listen(app, this.address.port);
      events.notice('certificates read', { listener });
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
    // A turn of the event loop for what has just been written.
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
    app.any('/*', (response) => refuse(response, 426, 'This is SIP over WebSocket.'));
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
        connection.attach(socket);
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
    // The library does not say why.
    if (socket === false) throw bindError('EADDRINUSE', formatListener(transport, host, port));
    if (port !== 0) return socket;
    // Only where it is given a port does it allow that port to be bound anew beside connections that are open.
    const free = this.uws.us_socket_local_port(socket);
    this.uws.us_listen_socket_close(socket);
    return this.listen(app, free);
  }

  /** A connection came (+1), or one that never became a WebSocket went (-1); nobody says which. */
  private counted(response: Uws.HttpResponse, change: number): void {
    if (change < 0) return this.handshakes.remove(null);
    const now = performance.now();
    const address = textOf(response.getRemoteAddress());
    const waiting = this.handshakes.of(address, now);
    const { flows } = this.options;
    if (flows.mayKeep() && flows.hasRoom(address, this.handshakes.total, waiting))
      return this.handshakes.add(address, now);
    // Before TLS has cost anything.
    this.handshakes.add(null, now);
    response.close();
  }

  private upgrade(response: Uws.HttpResponse, request: Uws.HttpRequest, context: Uws.SocketContext): void {
    const { webSocket, handshake: hook } = this.options;
    if (!offersSip(request.getHeader('sec-websocket-protocol')))
      return refuse(response, 400, 'The sub-protocol is "sip" (RFC 7118).');
    if (!originAllowed(webSocket.origins, request.getHeader('origin')))
      return refuse(response, 403, 'Pages of this origin may not connect.');
    const peer = textOf(response.getRemoteAddress());
    const address = this.clientAddress(peer, request);
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const accept = () => {
      const connection = this.openFlow(response, address);
      if (connection === null) return refuse(response, 503, 'Too many connections.');
      this.handshakes.remove(peer);
      response.upgrade<UserData>({ connection }, key, SIP_PROTOCOL, extensions, context);
    };
    if (hook === undefined) accept();
    else askHook(hook, describe(request, address), response, accept);
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

  /** The client's address: the peer's, or what a trusted proxy says. */
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

/** Lets the hook decide, at once or later, as long as the client waits. */
function askHook(hook: HandshakeHook, handshake: Handshake, response: Uws.HttpResponse, accept: () => void): void {
  let waits = true;
  const settle = (verdict: boolean | number) => {
    if (!waits) return;
    waits = false;
    clearTimeout(timer);
    response.cork(() => {
      if (verdict === true) accept();
      else refuse(response, verdict === false ? 401 : verdict, 'Not let in.');
    });
  };
  const timer = setTimeout(() => settle(503), HOOK_MS_MAX);
  response.onAborted(() => {
    waits = false;
    clearTimeout(timer);
  });
  new Promise<boolean | number>((resolve) => resolve(hook(handshake))).then(settle, () => settle(500));
}

/** @param status of HTTP; one that is no refusal becomes 500 */
function refuse(response: Uws.HttpResponse, status: number, text: string): void {
  const code = status >= 400 && status <= 599 ? Math.trunc(status) : 500;
  response.writeStatus(`${code} ${STATUS_CODES[code] ?? 'Refused'}`).writeHeader('Content-Type', 'text/plain');
  if (code === 426) response.writeHeader('Upgrade', 'websocket');
  response.end(`${text}\n`, true);
}

/** An address of four or sixteen bytes as text; an IPv4 address in IPv6's clothes becomes one again. */
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
