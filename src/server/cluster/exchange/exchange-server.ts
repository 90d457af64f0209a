// A node's HTTP server for the other nodes, beside its address for them: copies of its shards, and digests of their tables. Requests of
// strangers are refused and counted.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ClusterError } from '../cluster-error.ts';
import type { ExchangeProof } from './exchange-proof.ts';

const HEADERS_MS = 5000;
const CONNECTIONS_MAX = 64;

/** Writes a piece of an answer; resolves when the next one may follow. Throws where the client is gone. */
export type WritePiece = (bytes: Buffer) => Promise<void>;

/**
 * Returns the writer of the answer for a path; undefined: the path does not exist. Throws a ClusterError with the reason where it cannot
 * answer.
 */
export type ExchangeAnswer = (path: string) => ((write: WritePiece) => Promise<void>) | undefined;

export class ExchangeServer {
  refused = 0;
  private readonly server: Server;
  private readonly proof: ExchangeProof;
  private readonly node: string;
  private readonly answer: ExchangeAnswer;

  private constructor(proof: ExchangeProof, node: string, answer: ExchangeAnswer) {
    this.proof = proof;
    this.node = node;
    this.answer = answer;
    this.server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS }, (request, response) => {
      void this.handle(request, response);
    });
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Throws a ClusterError where the address cannot be bound. */
  static async open(
    { host, port }: { readonly host: string; readonly port: number },
    parts: { readonly proof: ExchangeProof; readonly node: string; readonly answer: ExchangeAnswer },
  ): Promise<ExchangeServer> {
    const opened = new ExchangeServer(parts.proof, parts.node, parts.answer);
    await new Promise<void>((resolve, reject) => {
      opened.server.once('error', (error: Error) =>
        reject(
          new ClusterError(
            `${host} port ${port}, where copies of shards are given to other nodes, the next one of cluster.listen, ` +
              `cannot be had: ${error.message}`,
          ),
        ),
      );
      opened.server.listen(port, host, resolve);
    });
    opened.server.on('error', () => {});
    return opened;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { proof } = this;
    const path = request.url ?? '';
    request.resume();
    const asked = request.method === 'GET' && proof.asked(request.headers.authorization, path, Date.now());
    if (!asked) {
      this.refused++;
      return void response.writeHead(403, { connection: 'close' }).end('not signed with the secret of this cluster');
    }
    try {
      const answer = this.answer(path);
      if (answer === undefined) return void response.writeHead(404).end('there is no such thing');
      const code = proof.answer(this.node, path, asked.nonce);
      response.writeHead(200, { 'content-type': 'application/octet-stream', connection: 'close' });
      await answer(async (bytes) => {
        code.update(bytes);
        await written(response, bytes);
      });
      response.end(code.digest());
    } catch (error) {
      // A truncated answer has no proof at its end.
      if (response.headersSent) response.destroy();
      else response.writeHead(409).end(error instanceof ClusterError ? error.message : 'it cannot be given now');
    }
  }
}

async function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (response.destroyed) throw new Error('nobody reads');
  if (response.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      if (response.destroyed) reject(new Error('nobody reads'));
      else resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
