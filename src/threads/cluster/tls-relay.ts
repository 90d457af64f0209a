// TLS to NATS servers for threads without an event loop: each server has a port on loopback here, and its traffic crosses encrypted. As
// in NATS, a server sends its INFO in the clear first; nothing is sent to it before it has proved its name.

import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NatsServer } from '../../transport/nats/nats-addresses.ts';

const LINE_BYTES_MAX = 64 << 10;
const TOKEN_BYTES_MAX = 256;
/** Time for a server until the connection is encrypted, and for a thread until it has sent its token. */
const OPEN_MS = 2000;
const HOST = '127.0.0.1';

export interface TlsRelayTask {
  readonly servers: readonly NatsServer[];
  /** Paths of files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Each client sends it first: other programs of this machine are not part of this node. */
  readonly token: string;
  /** Ports to listen on, as in a life before; 0: any. */
  readonly ports: readonly number[];
}

export class TlsRelay {
  ports: readonly number[] = [];
  private readonly listeners: Server[] = [];
  private readonly task: TlsRelayTask;
  private readonly failed: (server: NatsServer, why: string) => void;

  private constructor(task: TlsRelayTask, failed: (server: NatsServer, why: string) => void) {
    this.task = task;
    this.failed = failed;
  }

  /** Listens; rejects where it cannot. @param failed is called with the reason why a server cannot be reached */
  static async open(task: TlsRelayTask, failed: (server: NatsServer, why: string) => void): Promise<TlsRelay> {
    const relay = new TlsRelay(task, failed);
    relay.ports = await Promise.all(task.servers.map((server, i) => relay.listen(server, task.ports[i] ?? 0)));
    return relay;
  }

  close(): void {
    for (const listener of this.listeners) listener.close();
  }

  private listen(server: NatsServer, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const listener = createServer({ noDelay: true }, (local) => this.accept(local, server));
      this.listeners.push(listener);
      listener.once('error', reject);
      listener.listen(port, HOST, () => resolve((listener.address() as { port: number }).port));
    });
  }

  private accept(local: Socket, server: NatsServer): void {
    local.on('error', () => local.destroy());
    const timer = setTimeout(() => local.destroy(), OPEN_MS);
    readLine(local, TOKEN_BYTES_MAX, (line) => {
      clearTimeout(timer);
      const [said, token] = [Buffer.from(line ?? ''), Buffer.from(this.task.token)];
      if (said.length !== token.length || !timingSafeEqual(said, token)) return void local.destroy();
      this.reach(local, server);
    });
  }

  private reach(local: Socket, server: NatsServer): void {
    const { host, port } = server;
    const plain = connect({ host, port, noDelay: true });
    const give = (why: string) => {
      clearTimeout(timer);
      if (!local.destroyed) this.failed(server, why);
      local.destroy();
      plain.destroy();
    };
    const timer = setTimeout(() => give('no encrypted connection in time'), OPEN_MS);
    plain.on('error', (error) => give(error.message));
    local.on('close', () => plain.destroy());
    readLine(plain, LINE_BYTES_MAX, (line, rest) => {
      const info = line === undefined ? undefined : infoOf(line);
      if (info === undefined) return give('it does not speak NATS');
      if (info.tls_required !== true && info.tls_available !== true) return give('it does not offer TLS');
      if (rest.length > 0) return give('it goes on in the clear');
      try {
        this.encrypt(plain, server, give, (secure) => {
          clearTimeout(timer);
          secure.on('close', () => local.destroy());
          local.write(`INFO ${JSON.stringify({ ...info, tls_required: false, tls_available: false })}\r\n`);
          local.pipe(secure).pipe(local);
        });
      } catch (error) {
        give((error as Error).message); // a file that cannot be read
      }
    });
  }

  private encrypt(
    plain: Socket,
    { host }: NatsServer,
    failed: (why: string) => void,
    done: (secure: Socket) => void,
  ): void {
    const { ca, cert, key } = this.task;
    const secure = connectTls({
      socket: plain,
      minVersion: 'TLSv1.2',
      host, // what the certificate has to be for; by default that is localhost
      ...(isIP(host) === 0 && { servername: host }),
      ...(ca && { ca: readFileSync(ca) }),
      ...(cert && { cert: readFileSync(cert) }),
      ...(key && { key: readFileSync(key) }),
    });
    secure.on('error', (error) => failed(error.message));
    secure.once('secureConnect', () => done(secure));
  }
}

/** Finds the first line, without its line end, and the bytes behind it; undefined where `bytesMax` bytes hold no line. */
function readLine(socket: Socket, bytesMax: number, found: (line: string | undefined, rest: Buffer) => void): void {
  let all = Buffer.alloc(0);
  const take = (piece: Buffer) => {
    all = Buffer.concat([all, piece]);
    const end = all.indexOf('\r\n');
    if (end < 0 && all.length <= bytesMax) return;
    socket.pause();
    socket.off('data', take);
    const rest = end < 0 ? Buffer.alloc(0) : all.subarray(end + 2);
    if (rest.length > 0) socket.unshift(rest);
    found(end < 0 ? undefined : all.toString('latin1', 0, end), rest);
  };
  socket.on('data', take);
}

function infoOf(line: string): { readonly tls_required?: unknown; readonly tls_available?: unknown } | undefined {
  if (!/^INFO /i.test(line)) return undefined;
  try {
    return JSON.parse(line.slice('INFO '.length)) as object;
  } catch {
    return undefined;
  }
}
