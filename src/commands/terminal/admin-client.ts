// The command line's client of the admin API: the server's URL, the token, requests, and errors that name the remedy.

import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { DIRECTORY_HEADER, directoryId, readToken, readUrl } from '../../server/admin/admin-files.ts';
import { fileFault } from '../../server/process/file-fault.ts';
import { packageVersion } from '../../server/process/package-version.ts';
import { CommandError } from './command-action.ts';
import { defaultData } from './data-directory.ts';

const EXAMPLE_URL = 'http://127.0.0.1:8060';

export interface AdminOptions {
  readonly admin?: string;
  readonly data?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly wide?: boolean;
}

/** Adds the options that select the server. */
export function withAdminOptions(command: Command): Command {
  return command
    .option(
      '--data <dir>',
      `data directory of the server, which knows its address and token (default: ${defaultData()})`,
    )
    .option('--admin <url>', 'admin listener of the server, instead of a data directory')
    .option('--token-file <file>', 'holds the token (default: admin-token of the data directory)')
    .option('--json', 'JSON for programs')
    .option('--wide', 'whole rows, also where the terminal is narrower');
}

/** A problem's text with flags in place of fields. */
function withFlags(detail: string): string {
  return detail.replace(/\b(?:body|query)\.([a-z]+)(?:\.\d+)?: /g, (_, key) =>
    key === 'contact' ? 'contact: ' : `--${key}: `,
  );
}

export class AdminClient {
  readonly url: string;
  /** The directory of the server; undefined where the server was named by its URL. */
  private readonly data: string | undefined;
  private readonly headers: Record<string, string>;
  private readonly stop = new AbortController();

  constructor(options: AdminOptions) {
    const { admin, tokenFile } = options;
    // A token must not reach a server that was merely named by URL.
    const data = options.data ?? (admin === undefined ? defaultData() : undefined);
    this.data = admin === undefined ? data : undefined;
    this.url = (admin ?? urlOf(data ?? defaultData())).replace(/^(https?):(?!\/\/)/, '$1://').replace(/\/$/, '');
    if (this.url !== '' && !URL.canParse(this.url))
      throw new CommandError(`--admin: "${admin}" is no URL such as ${EXAMPLE_URL}`, 2);
    const token = tokenFile !== undefined ? tokenOf(tokenFile) : data === undefined ? undefined : readToken(data);
    this.headers = {
      'user-agent': `aorta/${packageVersion()}`,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(this.data !== undefined && { [DIRECTORY_HEADER]: directoryId(this.data) }),
    };
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.ask('GET', path)).json()) as T;
  }

  /** The answer to a request that changes state; undefined where it is empty. */
  async change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T | undefined> {
    const text = await (await this.ask(method, path, body)).text();
    return text === '' ? undefined : (JSON.parse(text) as T);
  }

  /** The objects of a stream, one per line. */
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

  /** Ends the requests in progress. */
  close(): void {
    this.stop.abort();
  }

  private async ask(method: string, path: string, body?: unknown): Promise<Response> {
    if (this.url === '' && this.data !== undefined) throw await noListener(this.data);
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
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string; code?: string };
    if (problem.code === 'no_such_route' && path.startsWith('/v1/cluster'))
      throw new CommandError('this server is no node of a cluster');
    if (answer.status === 421 && this.data !== undefined)
      throw noServer(this.data, `the one at ${this.url} is another's: ${problem.detail}`);
    const hint = answer.status === 401 ? ' (--data or --token-file names it)' : '';
    throw new CommandError(`${withFlags(problem.detail ?? `the server answers ${answer.status}`)}${hint}`);
  }
}

/**
 * URL of the server of a data directory; '' where it has no server with an admin listener. Never that of another
 * directory's server.
 */
function urlOf(data: string): string {
  if (!existsSync(data))
    throw new CommandError(
      `there is no data directory ${data}: name the server's with --data, or its URL with --admin`,
    );
  const url = readUrl(data);
  return url ?? '';
}

/**
 * The error for a server without an admin listener, or for no server. The code that finds holders of directories is loaded
 * only here, so that help does not wait for it.
 */
async function noListener(data: string): Promise<CommandError> {
  const { lockHolder } = await import('../../server/data/lock-holder.ts');
  const holder = lockHolder(data);
  if (holder === undefined) return noServer(data, 'there is none with an admin listener');
  return new CommandError(
    `process ${holder} holds ${data} without an admin listener: start it with --admin http:127.0.0.1:8060`,
  );
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
    throw new CommandError(`--token-file: ${file}: ${fileFault(error)}`);
  }
}
