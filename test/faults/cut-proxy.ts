// A network between one node and one NATS server that may fail as networks do: it swallows what is sent, in both directions or in the
// server's alone, without ending a connection; or it ends them.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Cut = 'none' | 'both' | 'answers';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class CutProxy {
  private readonly listener: Server;
  private readonly pairs = new Set<Pair>();
  private cut: Cut = 'none';

  private constructor(listener: Server, port: number) {
    this.listener = listener;
    listener.on('connection', (client) => this.pass(client, port));
  }

  /** @param port of the server behind it */
  static open(port: number): Promise<CutProxy> {
    const listener = createServer({ pauseOnConnect: false });
    return new Promise((resolve) => listener.listen(0, '127.0.0.1', () => resolve(new CutProxy(listener, port))));
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** From here on. What was swallowed never comes: when it is mended, connections that missed something are ended. */
  set(cut: Cut): void {
    if (cut === 'none') this.end();
    this.cut = cut;
  }

  end(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
  }

  close(): void {
    this.end();
    this.listener.close();
  }

  private pass(client: Socket, port: number): void {
    const server = connect({ host: '127.0.0.1', port });
    const pair = { client, server };
    this.pairs.add(pair);
    client.on('data', (bytes) => {
      if (this.cut !== 'both') server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (this.cut === 'none') client.write(bytes);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.pairs.delete(pair);
        if (this.cut === 'none') other.destroy();
      });
    }
  }
}

/** A proxy between every node and every server. */
export class CutNetwork {
  /** By node, then server. */
  readonly proxies: CutProxy[][] = [];

  static async open(nodes: number, ports: readonly number[]): Promise<CutNetwork> {
    const network = new CutNetwork();
    for (let node = 0; node < nodes; node++)
      network.proxies.push(await Promise.all(ports.map((port) => CutProxy.open(port))));
    return network;
  }

  urls(node: number): string[] {
    return this.proxies[node].map(({ url }) => url);
  }

  /** Between a node and all servers. */
  set(node: number, cut: Cut): void {
    for (const proxy of this.proxies[node]) proxy.set(cut);
  }

  close(): void {
    for (const proxy of this.proxies.flat()) proxy.close();
  }
}

/** A proxy for each way between two servers. */
export class CutRoutes {
  private readonly proxies: { readonly from: number; readonly to: number; readonly proxy: CutProxy }[] = [];

  /** Where a server finds another one, whose routes listen at a port. */
  async route(from: number, to: number, port: number): Promise<string> {
    const proxy = await CutProxy.open(port);
    this.proxies.push({ from, to, proxy });
    return proxy.url;
  }

  /** Between a server and all others. */
  isolate(server: number, cut: Cut): void {
    for (const { from, to, proxy } of this.proxies) if (from === server || to === server) proxy.set(cut);
  }

  close(): void {
    for (const { proxy } of this.proxies) proxy.close();
  }
}
