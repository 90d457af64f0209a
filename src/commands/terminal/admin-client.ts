// The admin API as the command line asks it: where the server is, the token, requests, and errors that say what to do.

import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { DIRECTORY_HEADER, directoryId, readToken, readUrl } from '../../server/admin/admin-files.ts';
import { DEFAULT_DATA } from '../../server/config/defaults.ts';
import { CommandError } from './command-action.ts';

const EXAMPLE_URL = 'http://127.0.0.1:8060';

export interface AdminOptions {
  readonly admin?: string;
  readonly data?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly wide?: boolean;
}

/** Adds the options that say which server is meant. */
export function withAdminOptions(command: Command): Command {
  return command
    .option(
      '--data <dir>',
      `data directory of the server, which knows its address and token (default: ${DEFAULT_DATA})`,
    )
    .option('--admin <url>', 'admin listener of the server, instead of a data directory')
    .option('--token-file <file>', 'holds the token (default: admin-token of the data directory)')
    .option('--json', 'JSON for programs')
    .option('--wide', 'whole rows, also where the terminal is narrower');
}

export class AdminClient {
  readonly url: string;
  /** The directory whose server is meant; undefined where it was named by its URL. */
  private readonly data: string | undefined;
  private readonly headers: Record<string, string>;
  private readonly stop = new AbortController();

  constructor(options: AdminOptions) {
    const { admin, tokenFile } = options;
    // A token is not for whatever server somebody names.
    const data = options.data ?? (admin === undefined ? DEFAULT_DATA : undefined);
    this.data = admin === undefined ? data : undefined;
    this.url = (admin ?? urlOf(data)).replace(/^(https?):(?!\/\/)/, '$1://').replace(/\/$/, '');
    if (!URL.canParse(this.url)) throw new CommandError(`--admin: "${admin}" is no URL such as ${EXAMPLE_URL}`, 2);
    const token = tokenFile !== undefined ? tokenOf(tokenFile) : data === undefined ? undefined : readToken(data);
    this.headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(this.data !== undefined && { [DIRECTORY_HEADER]: directoryId(this.data) }),
    };
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

  /** The events of a stream (server-sent events), until it ends or `close` is called. */
  async *events(path: string): AsyncGenerator<{ readonly event: string; readonly data: string }> {
    const { body } = await this.ask('GET', path);
    if (body === null) return;
    let rest = '';
    for await (const piece of body.pipeThrough(new TextDecoderStream())) {
      const messages = (rest + piece).split('\n\n');
      rest = messages.pop() ?? '';
      for (const message of messages) {
        const fields = Object.fromEntries(message.split('\n').map((line) => line.split(/: ?(.*)/s)));
        if (fields.data !== undefined) yield { event: fields.event ?? 'message', data: fields.data };
      }
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.stop.abort();
  }

  private async ask(method: string, path: string, body?: unknown): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.url + path, {
        method,
        signal: this.stop.signal,
        headers: { ...this.headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (/CERT|SIGNATURE|ISSUER/.test(cause?.code ?? ''))
        throw new CommandError(
          `the certificate of ${this.url} is not trusted (${cause?.code}): name its CA, or itself, in NODE_EXTRA_CA_CERTS=FILE`,
        );
      const why = cause?.code ?? cause?.message ?? (error as Error).message;
      if (this.data !== undefined) throw noServer(this.data, `nothing answers at ${this.url} (${why})`);
      throw new CommandError(`cannot reach ${this.url} (${why}): start the server with --admin http:HOST:PORT there`);
    }
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
    if (answer.status === 421 && this.data !== undefined)
      throw noServer(this.data, `the one at ${this.url} is another's: ${problem.detail}`);
    const hint = answer.status === 401 ? ' (--data or --token-file names it)' : '';
    throw new CommandError(`${problem.detail ?? `the server answers ${answer.status}`}${hint}`);
  }
}

/** Where the server of a data directory is. Never that of another one. */
function urlOf(data = DEFAULT_DATA): string {
  if (!existsSync(data))
    throw new CommandError(
      `there is no data directory ${data}: name the server's with --data, or its URL with --admin`,
    );
  const url = readUrl(data);
  if (url === undefined) throw noServer(data, 'there is none with an admin listener');
  return url;
}

function noServer(data: string, why: string): CommandError {
  return new CommandError(
    `no server holds ${data} (${why}): start one on it with --admin http:127.0.0.1:8060, or name another with --data or --admin`,
  );
}

function tokenOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`--token-file: ${(error as Error).message}`);
  }
}
