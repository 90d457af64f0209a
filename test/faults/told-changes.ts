// Who is told the changes of a cluster, by webhooks of all its nodes: what it knows in the end must be what the cluster has.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { poll } from '../support/child-process.ts';

interface Told {
  readonly type: string;
  readonly node: string;
  readonly sequence: number;
  readonly aor: string;
  readonly binding: { readonly uri: string; readonly callId: string; readonly cseq: number };
}

export class ToldChanges {
  private readonly server: Server;
  /** The newest of each binding, by AOR and URI. */
  private readonly newest = new Map<string, Told>();
  private readonly wrong: string[] = [];

  private constructor() {
    this.server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => {
        body += part;
      });
      request.on('end', () => {
        for (const event of (JSON.parse(body) as { events: Told[] }).events) this.take(event);
        response.writeHead(204).end();
      });
    });
  }

  static async open(): Promise<ToldChanges> {
    const told = new ToldChanges();
    await new Promise<void>((resolve) => told.server.listen(0, '127.0.0.1', resolve));
    return told;
  }

  /** Lines of each node's configuration. */
  get configuration(): string {
    const { port } = this.server.address() as AddressInfo;
    return `feed:\n  webhook:\n    url: http://127.0.0.1:${port}/\n    secret: known to both\n    retry-max-ms: 1000\n`;
  }

  /** Every binding that a node has is as its newest change said. @param dump lines of its /v1/dump */
  async demandAll(dump: () => Promise<string>): Promise<void> {
    let missing: string[] = [];
    await poll('every change told', 20_000, async () => {
      missing = [];
      for (const line of (await dump()).split('\n').filter((text) => text !== '')) {
        const { aor, contacts } = JSON.parse(line) as { aor: string; contacts: Told['binding'][] };
        for (const { uri, callId, cseq } of contacts) {
          const told = this.newest.get(`${aor} ${uri}`);
          if (told?.binding.callId !== callId || told.binding.cseq !== cseq)
            missing.push(`${aor} has ${callId} ${cseq}, told ${JSON.stringify(told)}`);
        }
      }
      return missing.length === 0 || undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${missing.length} are not, as ${missing.slice(0, 2).join('; ')}`);
    });
    if (this.wrong.length > 0) throw new Error(`changes told wrongly: ${this.wrong.slice(0, 3).join('; ')}`);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private take(event: Told): void {
    if (event.type === 'lost') return void this.wrong.push(JSON.stringify(event));
    const binding = `${event.aor} ${event.binding.uri}`;
    const before = this.newest.get(binding);
    if (before?.sequence === event.sequence && before.node !== event.node) this.wrong.push(`twice ${event.sequence}`);
    if (before === undefined || event.sequence > before.sequence) this.newest.set(binding, event);
  }
}
