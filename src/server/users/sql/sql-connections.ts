// The pool: connections that are idle, to be used again. How many are used at once the provider's `concurrency` bounds.

import { LostConnectionError, type OpenSqlConnection, type SqlConnection, type SqlRow } from './sql-connection.ts';

/** A connection that nobody has used for this long is ended. */
const IDLE_MS = 60_000;

interface Idle {
  readonly connection: SqlConnection;
  readonly since: number;
}

export class SqlConnections {
  private readonly open: OpenSqlConnection;
  /** The one used last is the last. */
  private idle: Idle[] = [];
  private readonly sweeping: NodeJS.Timeout;

  constructor(open: OpenSqlConnection) {
    this.open = open;
    this.sweeping = setInterval(() => this.endIdle(Date.now() - IDLE_MS), IDLE_MS / 2);
    this.sweeping.unref();
  }

  /** Rows of the query. An idle connection may have ended unnoticed, with a restart of the server: then a new one is tried. */
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

  /** Those that are idle since before a time. */
  private endIdle(before: number): void {
    const ended = this.idle.filter(({ since }) => since < before);
    this.idle = this.idle.filter(({ since }) => since >= before);
    for (const { connection } of ended) connection.end();
  }
}
