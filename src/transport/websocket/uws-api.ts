// The part of uWebSockets.js that Aorta calls, as types: the packages with the binaries have none.

type Text = string | ArrayBuffer | ArrayBufferView;

/** Handles that are only passed back to the library. */
export type ListenSocket = object;
export type SocketContext = object;

export interface WebSocket<UserData> {
  /** 1: sent; 0: waits in memory; 2: dropped, the limit of waiting bytes is reached. */
  send(message: Text, isBinary?: boolean): number;
  end(code?: number, reason?: Text): void;
  getUserData(): UserData;
}

/** Valid until it is ended or aborted. */
export interface HttpResponse {
  writeStatus(status: Text): HttpResponse;
  writeHeader(key: Text, value: Text): HttpResponse;
  end(body?: Text, closeConnection?: boolean): HttpResponse;
  /** Without a length: with one the library would wait for the body. */
  endWithoutBody(): HttpResponse;
  close(): HttpResponse;
  cork(write: () => void): HttpResponse;
  /** 4 or 16 bytes. */
  getRemoteAddress(): ArrayBuffer;
  /** Missing in the older build. */
  getRemotePort?(): number;
  onAborted(handler: () => void): HttpResponse;
  /** The chunk is valid during the call only. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse;
  upgrade<UserData>(userData: UserData, key: Text, protocol: Text, extensions: Text, context: SocketContext): void;
}

/** Valid only during the call that passes it. */
export interface HttpRequest {
  /** Lower-case name; empty where the header is missing. */
  getHeader(name: Text): string;
  /** Each row, its name in lower case. */
  forEach(row: (name: string, value: string) => void): void;
  getMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
}

export interface WebSocketBehavior<UserData> {
  compression?: number;
  maxPayloadLength?: number;
  /** Seconds. */
  idleTimeout?: number;
  sendPingsAutomatically?: boolean;
  maxBackpressure?: number;
  closeOnBackpressureLimit?: boolean;
  upgrade?: (response: HttpResponse, request: HttpRequest, context: SocketContext) => void;
  open?: (socket: WebSocket<UserData>) => void;
  message?: (socket: WebSocket<UserData>, message: ArrayBuffer, isBinary: boolean) => void;
  close?: (socket: WebSocket<UserData>, code: number, message: ArrayBuffer) => void;
}

export interface AppOptions {
  key_file_name?: string;
  cert_file_name?: string;
  ssl_ciphers?: string;
  ssl_prefer_low_memory_usage?: boolean;
}

export interface App {
  listen(host: string, port: number, options: number, done: (socket: ListenSocket | false) => void): App;
  any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): App;
  ws<UserData>(pattern: string, behavior: WebSocketBehavior<UserData>): App;
  /** Called with 1 for each new connection, -1 for one that closes before it is a WebSocket. */
  filter(handler: (response: HttpResponse, change: unknown) => void): App;
  addServerName(name: string, options: AppOptions): App;
  domain(name: string): App;
  close(): App;
}

export interface UWebSockets {
  App(options: AppOptions): App;
  SSLApp(options: AppOptions): App;
  readonly DISABLED: number;
  us_listen_socket_close(socket: ListenSocket): void;
  us_socket_local_port(socket: ListenSocket): number;
}
