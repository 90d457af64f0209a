// The module aorta/client: a typed client of the admin API, made from docs/openapi.json, which a test holds to the routes. Made anew only
// when one of what it is made of has changed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DOCUMENT = 'docs/openapi.json';
const FOLDER = '.build/client';
const MADE = ['client.js', 'client.d.ts'];

/** What stands behind the made code. */
const ADDED = `
export interface ClientOptions {
  /** Of the admin listener: http://127.0.0.1:8060 */
  readonly url: string;
  /** The content of admin-token in the data directory; on loopback it may be left out. */
  readonly token?: string | undefined;
  /** Instead of the global one. */
  readonly fetch?: typeof fetch | undefined;
}

/** An answer other than 2xx. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly status: number;
  /** What the server tells of it (RFC 9457); undefined where its answer is none of Aorta's. */
  readonly problem: Problem | undefined;

  constructor(status: number, problem: Problem | undefined) {
    super(problem?.detail ?? \`the server answers \${status}\`);
    this.status = status;
    this.problem = problem;
  }
}

/** Of a stream of events. */
export interface StreamedEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

type Calls = Api<unknown>['v1'];
type Streams = 'dumpAors' | 'followEvents' | 'followMessages';

/** Operations of the API by their names. Each rejects with an AdminError where the status is no 2xx. */
export interface AdminClient extends Omit<Calls, Streams> {
  /** Every AOR with its bindings. */
  dumpAors(...wish: Parameters<Calls['dumpAors']>): AsyncGenerator<Aor>;
  /** Changes as they happen, until the loop is left. */
  followEvents(...wish: Parameters<Calls['followEvents']>): AsyncGenerator<StreamedEvent>;
  followMessages(...wish: Parameters<Calls['followMessages']>): AsyncGenerator<StreamedEvent>;
}

export function createClient({ url, token, fetch }: ClientOptions): AdminClient {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: \`Bearer \${token.trim()}\` };
  const api = new Api({ baseUrl: url.replace(/\\/$/, ''), baseApiParams: { headers }, ...(fetch && { customFetch: fetch }) });
  const calls = Object.fromEntries(
    Object.entries(api.v1).map(([name, call]) => [
      name,
      (...wish: unknown[]) => (call as (...wish: unknown[]) => Promise<Response>)(...wish).catch(refused),
    ]),
  ) as unknown as Calls;
  return {
    ...calls,
    dumpAors: (...wish) => rows(calls.dumpAors(...wish)),
    followEvents: (...wish) => events(calls.followEvents(...wish)),
    followMessages: (...wish) => events(calls.followMessages(...wish)),
  };
}

async function refused(error: unknown): Promise<never> {
  if (!(error instanceof Response)) throw error;
  const told = (error as { error?: unknown }).error ?? (await error.json().catch(() => undefined));
  const isProblem = typeof told === 'object' && told !== null && 'code' in told;
  throw new AdminError(error.status, isProblem ? (told as Problem) : undefined);
}

async function* rows(call: Promise<Response>): AsyncGenerator<Aor> {
  for await (const line of parts(call, '\\n')) yield JSON.parse(line) as Aor;
}

async function* events(call: Promise<Response>): AsyncGenerator<StreamedEvent> {
  for await (const text of parts(call, '\\n\\n')) {
    const { event = 'message', id, data } = Object.fromEntries(
      text.split('\\n').map((line) => [line.split(':', 1)[0], line.slice(line.indexOf(':') + 1).trimStart()]),
    ) as Partial<Record<string, string>>;
    if (data !== undefined) yield { event, id, data: JSON.parse(data) as StreamedEvent['data'] };
  }
}

/** What stands before each separator. A stream that ends elsewhere has been cut off. */
async function* parts(call: Promise<Response>, separator: string): AsyncGenerator<string> {
  const reader = (await call).body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const pieces = (rest + decoder.decode(value, { stream: true })).split(separator);
      rest = pieces.pop() ?? '';
      yield* pieces;
    }
    if (rest.trim() !== '') throw new Error('the stream was cut off: the server has stopped');
  } finally {
    await reader.cancel().catch(() => {});
  }
}
`;

/** @param to directory that gets client.js and client.d.ts @param tsc path of the compiler */
export async function buildClient(to, tsc) {
  const parts = [readFileSync(DOCUMENT), readFileSync(fileURLToPath(import.meta.url))];
  const hash = createHash('sha256').update(parts[0]).update(parts[1]).digest('hex');
  const stamp = `${FOLDER}/made-of`;
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
    await make(JSON.parse(parts[0].toString()), tsc);
    writeFileSync(stamp, hash);
  }
  for (const file of MADE) copyFileSync(`${FOLDER}/${file}`, `${to}/${file}`);
}

/** Names stand in paths as they are there: an AOR may have a slash. */
function withEscapes(source) {
  return source.replace(/path: `[^`]*`/g, (path) => path.replace(/\$\{(\w+)\}/g, '${encodeURIComponent(String($1))}'));
}

/** What may be left out may be undefined, too: `cursor` of the first page. Types of Node know no `Body`. */
function withUndefined(source) {
  return source
    .replace(/\bkeyof Omit<Body, [^>]*>/g, '"arrayBuffer" | "blob" | "formData" | "json" | "text"')
    .replace(/^(\s+\w+\?: [^;\n({]+);$/gm, '$1 | undefined;');
}

async function make(spec, tsc) {
  const { generateApi } = await import('swagger-typescript-api');
  const { files } = await generateApi({ spec, output: false, silent: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/client.ts`, withUndefined(withEscapes(files[0].fileContent)) + ADDED);
  const flags =
    '--ignoreConfig --declaration --strict --target es2023 --module nodenext --lib es2023,dom,dom.iterable'.split(' ');
  const run = spawnSync(process.execPath, [tsc, ...flags, '--types', '', '--outDir', FOLDER, `${FOLDER}/client.ts`], {
    stdio: 'inherit',
  });
  if (run.status !== 0) throw new Error('the client of the admin API does not compile');
}
