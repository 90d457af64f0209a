// A UDP relay in front of a server that keeps each client's first request with credentials back for a while (its
// retransmissions too), so that the nonce in it is stale when it arrives: what a phone meets on a bad line.

import { createSocket, type Socket } from 'node:dgram';
import type { Destination } from './sip-client.ts';

export class SlowRelay {
  readonly address = '127.0.0.1';
  private readonly socket: Socket;
  private readonly server: Destination;
  private readonly delayMs: number;
  /** Towards the server, one socket per client. */
  private readonly clients = new Map<number, { socket: Socket; until: number }>();

  private constructor(socket: Socket, server: Destination, delayMs: number) {
    this.socket = socket;
    this.server = server;
    this.delayMs = delayMs;
    socket.on('message', (bytes, from) => this.fromClient(bytes, from.port));
  }

  static open(server: Destination, delayMs: number): Promise<SlowRelay> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(new SlowRelay(socket, server, delayMs))));
  }

  get port(): number {
    return this.socket.address().port;
  }

  close(): void {
    for (const { socket } of this.clients.values()) socket.close();
    this.socket.close();
  }

  private fromClient(bytes: Buffer, port: number): void {
    let client = this.clients.get(port);
    if (client === undefined) {
      client = { socket: createSocket('udp4'), until: 0 };
      client.socket.on('message', (answer) => this.socket.send(answer, port, '127.0.0.1'));
      this.clients.set(port, client);
    }
    const { socket } = client;
    const send = (): void => socket.send(bytes, this.server.port, this.server.address);
    if (!/^Authorization:/im.test(bytes.toString('latin1')) || (client.until > 0 && Date.now() > client.until)) {
      send();
    } else if (client.until === 0) {
      client.until = Date.now() + this.delayMs;
      setTimeout(send, this.delayMs);
    }
  }
}
