// The HTTP door of the location service: where is a user, as JSON, for proxies. A listener of its own on plain node:http, because
// this one route is asked for every call (docs/decisions/0066). Nothing here changes anything.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Binding } from '../location/binding-view.ts';
import { localOnly, openToken, withToken } from './http-access.ts';
import { isLoopback } from './listen-address.ts';
import type { Lookup, LookupPreferences, NoLookup } from './location-lookup.ts';
import type { HttpAddress } from './lookup-config.ts';
import { Problem } from './problem.ts';

/** AORs that one batch may ask for. */
const BATCH_MAX = 1000;
const BODY_BYTES_MAX = 1 << 20;
const CONNECTIONS_MAX = 1024;
const TOKEN_FILE = 'lookup.token';

const ONE = /^\/v1\/aors\/([^/?#]+)\/contacts(?:\?(.*))?$/;
const BATCH = '/v1/lookups';

export interface LookupHttp {
  /** With the port it got. */
  readonly address: HttpAddress;
  close(): Promise<void>;
}

type Find = (aor: string, preferences?: LookupPreferences) => Lookup | NoLookup;

/**
 * Listens. Rejects with the system's error where the address cannot be had.
 * @param data directory that the token lies in; it is asked for where other machines can reach the address
 */
export async function openLookupHttp(address: HttpAddress, data: string, find: Find): Promise<LookupHttp> {
  const access = isLoopback(address.host) ? localOnly(false) : withToken(openToken(data, TOKEN_FILE), TOKEN_FILE);
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 10_000 }, (request, response) => {
    try {
      access(request);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return refuse(response, error.status, error.code, error.message);
    }
    answer(request, response, find);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, address);
  return {
    address: { ...address, port: (server.address() as AddressInfo).port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, { host, port }: HttpAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, find: Find): void {
  const url = request.url ?? '';
  const one = ONE.exec(url);
  if (one !== null) {
    if (request.method !== 'GET') return refuse(response, 405, 'method_not_allowed', 'GET is what this takes');
    return answerOne(one[1], one[2], response, find);
  }
  if (url !== BATCH) return refuse(response, 404, 'no_such_route', `there are /v1/aors/{aor}/contacts and ${BATCH}`);
  if (request.method !== 'POST') return refuse(response, 405, 'method_not_allowed', 'POST is what this takes');
  readBody(request, response, (body) => answerBatch(body, response, find));
}

function answerOne(escaped: string, query: string | undefined, response: ServerResponse, find: Find): void {
  let aor: string;
  try {
    aor = escaped.includes('%') ? decodeURIComponent(escaped) : escaped;
  } catch {
    return refuse(response, 400, 'bad_aor', 'the escapes of the address-of-record are malformed');
  }
  const found = find(aor, query === undefined ? undefined : preferencesIn(query));
  if (found === 'no AOR') return refuse(response, 400, 'bad_aor', `"${aor}" is no address-of-record`);
  if (found === 'not served') return refuse(response, 404, 'not_served', `the domain of "${aor}" is not served here`);
  send(response, 200, 'application/json', JSON.stringify(lookupJson(found)));
}

/** `accept-contact` and `reject-contact`, each as often as there are values. */
function preferencesIn(query: string): LookupPreferences {
  const fields = new URLSearchParams(query);
  return { acceptContact: fields.getAll('accept-contact'), rejectContact: fields.getAll('reject-contact') };
}

function answerBatch(body: string, response: ServerResponse, find: Find): void {
  let batch: { aors?: unknown; acceptContact?: unknown; rejectContact?: unknown } | null;
  try {
    batch = JSON.parse(body);
  } catch {
    return refuse(response, 400, 'bad_json', 'the body is no JSON');
  }
  const { aors, acceptContact = [], rejectContact = [] } = batch ?? {};
  if (!isTexts(aors) || !isTexts(acceptContact) || !isTexts(rejectContact)) {
    const detail = `expected {"aors": […]}, and as one likes "acceptContact" and "rejectContact", with at most ${BATCH_MAX} texts`;
    return refuse(response, 400, 'bad_batch', detail);
  }
  const results = aors.map((aor) => {
    const found = find(aor, { acceptContact, rejectContact });
    if (typeof found === 'object') return lookupJson(found);
    return { aor, error: found === 'no AOR' ? 'bad_aor' : 'not_served', contacts: [], fallbacks: [] };
  });
  send(response, 200, 'application/json', JSON.stringify({ results }));
}

function isTexts(list: unknown): list is string[] {
  return Array.isArray(list) && list.length <= BATCH_MAX && list.every((text) => typeof text === 'string');
}

/** As the API has it: what is a route set is also there as the value of a Route header. `expires: null` is for ever. */
function lookupJson({ aor, contacts, fallbacks }: Lookup): unknown {
  return { aor, contacts: contacts.map(contactJson), fallbacks: fallbacks.map(contactJson) };
}

function contactJson(binding: Binding): unknown {
  return { ...binding, route: binding.path.join(', ') };
}

function readBody(request: IncomingMessage, response: ServerResponse, take: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  });
  request.on('end', () => {
    if (bytes > BODY_BYTES_MAX) refuse(response, 413, 'too_large', `at most ${BODY_BYTES_MAX} bytes`);
    else take(Buffer.concat(chunks).toString());
  });
}

/** RFC 9457. */
function refuse(response: ServerResponse, status: number, code: string, detail: string): void {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="aorta"');
  const body = { type: 'about:blank', status, code, detail };
  send(response, status, 'application/problem+json', JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, [
    'content-type',
    type,
    'content-length',
    String(body.length),
    'cache-control',
    'no-store',
  ]);
  response.end(body);
}
