// The pool: idle connections for further use. The provider's `concurrency` limits those in use at once.

import { LostConnectionError, type OpenSqlConnection, type SqlConnection, type SqlRow } from './sql-connection.ts';

/** A connection idle for this long is closed. */
const IDLE_MS = 60_000;

interface Idle {
  readonly connection: SqlConnection;
  readonly since: number;
}

export class SqlConnections {
  private readonly open: OpenSqlConnection;
  /** In the order of use: the last one was used last. */
  private idle: Idle[] = [];
  private readonly sweeping: NodeJS.Timeout;

  constructor(open: OpenSqlConnection) {
    this.open = open;
    this.sweeping = setInterval(() => this.endIdle(Date.now() - IDLE_MS), IDLE_MS / 2);
    this.sweeping.unref();
  }

  /** Rows of the query. An idle connection may have closed unnoticed, with a restart of the server: then a new one is tried. */
  async run(values: readonly string[], signal: AbortSignal): Promise<readonly SqlRow[]> {
    const used = this.takeIdle();
    if (used !== undefined) {
      try {
        return await this.runOn(used, values, signal);
      } catch (error) {
        if (!(error instanceof LostConnectionError) || signal.aborted) throw error;
        this.endIdle(Number.POSITIVE_INFINITY);
      }
    }
    return await this.runOn(await this.open(), values, signal);
  }

  close(): void {
    clearInterval(this.sweeping);
    this.endIdle(Number.POSITIVE_INFINITY);
  }

  private async runOn(connection: SqlConnection, values: readonly string[], signal: AbortSignal) {
    const stop = () => connection.end();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    try {
      signal.throwIfAborted();
      return await connection.run(values);
    } finally {
      signal.removeEventListener('abort', stop);
      if (!connection.isOver) this.idle.push({ connection, since: Date.now() });
    }
  }

  private takeIdle(): SqlConnection | undefined {
    for (let last = this.idle.pop(); last !== undefined; last = this.idle.pop()) {
      if (!last.connection.isOver) return last.connection;
    }
    return undefined;
  }

  /** Closes connections idle since before a time. */
  private endIdle(before: number): void {
    const ended = this.idle.filter(({ since }) => since < before);
    this.idle = this.idle.filter(({ since }) => since >= before);
    for (const { connection } of ended) connection.end();
  }
}
