// The admin API as the command line asks it: where the server is, the token, requests, and errors that say what to do.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { readToken, readUrl } from '../admin-files.ts';
import { DEFAULT_CONFIG } from '../config.ts';

const DEFAULT_URL = 'http://127.0.0.1:8060';

export interface AdminOptions {
  readonly admin?: string;
  readonly data: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** What went wrong, in words for whoever typed the command. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Adds the options that say which server is meant. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('--admin <url>', `admin listener of the server (default: that of the data directory, else ${DEFAULT_URL})`)
    .option('--data <dir>', 'data directory of the server: knows its address and token', DEFAULT_CONFIG.data)
    .option('--token-file <file>', 'holds the token (default: admin-token of the data directory)')
    .option('--json', 'JSON for programs');
}

/** Runs what a command does; prints what it throws, and sets the exit code. */
export function reported<A extends unknown[]>(action: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`aorta: ${error.message}\n`);
      process.exitCode = error.exitCode;
    }
  };
}

export class AdminClient {
  readonly url: string;
  private readonly headers: Record<string, string>;

  constructor(options: AdminOptions) {
    this.url = (options.admin ?? readUrl(options.data) ?? DEFAULT_URL)
      .replace(/^(https?):(?!\/\/)/, '$1://')
      .replace(/\/$/, '');
    if (!URL.canParse(this.url))
      throw new CommandError(`--admin: "${options.admin}" is no URL such as ${DEFAULT_URL}`, 2);
    const token = options.tokenFile === undefined ? readToken(options.data) : tokenOf(options.tokenFile);
    this.headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.ask('GET', path)).json()) as T;
  }

  /** What a request that changes something answers; undefined where that is nothing. */
  async change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T | undefined> {
    const text = await (await this.ask(method, path, body)).text();
    return text === '' ? undefined : (JSON.parse(text) as T);
  }

  /** The objects of a stream, one a line. */
  async *lines<T>(path: string): AsyncGenerator<T> {
    const { body } = await this.ask('GET', path);
    if (body === null) return;
    let rest = '';
    for await (const piece of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as T;
    }
    if (rest !== '') throw new CommandError('the stream ended in the middle of a line: the server stopped');
  }

  private async ask(method: string, path: string, body?: unknown): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.url + path, {
        method,
        headers: { ...this.headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (/CERT|SIGNATURE|ISSUER/.test(cause?.code ?? ''))
        throw new CommandError(
          `the certificate of ${this.url} is not trusted (${cause?.code}): name its CA, or itself, in NODE_EXTRA_CA_CERTS=FILE`,
        );
      throw new CommandError(
        `cannot reach ${this.url} (${cause?.code ?? cause?.message ?? (error as Error).message}): start the server with ` +
          '--admin http:127.0.0.1:8060, or name it with --admin or its data directory with --data',
      );
    }
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
    const hint = answer.status === 401 ? ' (--data or --token-file names it)' : '';
    throw new CommandError(`${problem.detail ?? `the server answers ${answer.status}`}${hint}`);
  }
}

function tokenOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`--token-file: ${(error as Error).message}`);
  }
}
