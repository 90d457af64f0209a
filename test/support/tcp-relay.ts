// A TCP relay in front of a server, for networks that fail: it can be cut, which ends what goes through it at both ends, and
// be refused until it is mended.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Destination } from './sip-client.ts';

export class TcpRelay {
  readonly address = '127.0.0.1';
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private broken = false;

  private constructor(server: Server, to: Destination) {
    this.server = server;
    server.on('connection', (client) => {
      if (this.broken) return client.destroy();
      const onward = connect({ host: to.address, port: to.port });
      for (const [socket, other] of [
        [client, onward],
        [onward, client],
      ]) {
        this.sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  static open(to: Destination): Promise<TcpRelay> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(new TcpRelay(server, to))));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  cut(): void {
    this.broken = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.broken = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}
