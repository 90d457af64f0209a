// Stand-ins for the services of Apple and Google, and for a program that takes pushes: real HTTP servers, which check what their documents
// demand of a push, and keep what they took.

import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';

export interface TakenPush {
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Record<string, unknown>;
}

abstract class Stand {
  /** Pushes that were taken, in their order. */
  readonly taken: TakenPush[] = [];
  /** What was wrong with others. */
  readonly wrong: string[] = [];
  /** Answers to the next requests, in place of the usual one. */
  readonly answers: { status: number; body?: object; headers?: Record<string, string> }[] = [];
  requests = 0;
  url = '';
  protected server: Server | undefined;

  protected async listen(server: Server): Promise<void> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
  }
}

/** APNs: HTTP/2, a token of the provider's, topic, type, priority and expiration. */
export class Apns extends Stand {
  readonly key: KeyObject;
  readonly pem: string;
  connections = 0;
  private readonly sessions = new Set<{ destroy(): void }>();

  constructor() {
    super();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = publicKey;
    this.pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  async open(): Promise<this> {
    const server = createHttp2Server((request, response) => void this.answer(request, response));
    server.on('session', (session) => {
      this.connections++;
      this.sessions.add(session);
    });
    await this.listen(server);
    return this;
  }

  /** Ends its connections, as Apple does now and then. */
  hangUp(): void {
    for (const session of this.sessions) session.destroy();
    this.sessions.clear();
  }

  override async close(): Promise<void> {
    this.hangUp();
    await super.close();
  }

  private async answer(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    this.requests++;
    const body = await jsonOf(request);
    const { headers, method, url } = request;
    const next = this.answers.shift();
    const fault = this.fault(method, headers);
    if (fault !== undefined) this.wrong.push(fault);
    const status = next?.status ?? (fault === undefined ? 200 : 403);
    if (status === 200) this.taken.push({ path: url, headers, body });
    response.writeHead(status, next?.headers);
    response.end(status === 200 ? '' : JSON.stringify(next?.body ?? { reason: fault }));
  }

  private fault(method: string, headers: Readonly<Record<string, unknown>>): string | undefined {
    const [head, claims, signature] = String(headers.authorization)
      .replace(/^bearer /, '')
      .split('.');
    const { alg, kid } = part(head);
    const { iss, iat } = part(claims);
    const key = { key: this.key, dsaEncoding: 'ieee-p1363' } as const;
    const isSigned = verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'));
    if (!isSigned || alg !== 'ES256' || kid !== 'ABC123DEFG' || iss !== 'DEF123GHIJ') return 'InvalidProviderToken';
    if (Math.abs(Date.now() / 1000 - Number(iat)) > 3600) return 'ExpiredProviderToken';
    if (method !== 'POST') return 'MethodNotAllowed';
    return undefined;
  }
}

/** FCM with the token server of service accounts. */
export class Fcm extends Stand {
  readonly account: string;
  private readonly publicKey: KeyObject;
  private readonly pem: string;
  /** Access tokens that were given out. */
  tokens = 0;
  /** The token that counts. */
  valid = 'token-1';

  constructor() {
    super();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.publicKey = createPublicKey(privateKey);
    this.pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.account = '';
  }

  async open(): Promise<this> {
    await this.listen(createServer((request, response) => void this.answer(request, response)));
    return this;
  }

  /** The key of the service account, as Google gives it. */
  get accountFile(): string {
    return JSON.stringify({
      type: 'service_account',
      project_id: 'example-app',
      private_key_id: '1',
      private_key: this.pem,
      client_email: 'aorta@example-app.iam.gserviceaccount.com',
      token_uri: `${this.url}/token`,
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/token') return this.grant(await textOf(request), response);
    this.requests++;
    const body = await jsonOf(request);
    const next = this.answers.shift();
    const isValid = request.headers.authorization === `Bearer ${this.valid}`;
    const status = next?.status ?? (isValid ? 200 : 401);
    if (status === 200) this.taken.push({ path: request.url ?? '', headers: request.headers, body });
    response.writeHead(status, { 'content-type': 'application/json', ...next?.headers });
    response.end(JSON.stringify(next?.body ?? { name: 'projects/example-app/messages/1' }));
  }

  private grant(form: string, response: ServerResponse): void {
    const given = new URLSearchParams(form);
    const [head, claims, signature] = (given.get('assertion') ?? '').split('.');
    const { iss, scope, aud, exp, iat } = part(claims);
    const isSigned = verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      this.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    const isRight =
      isSigned &&
      given.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
      iss === 'aorta@example-app.iam.gserviceaccount.com' &&
      scope === 'https://www.googleapis.com/auth/firebase.messaging' &&
      aud === `${this.url}/token` &&
      Number(exp) - Number(iat) <= 3600;
    if (!isRight) this.wrong.push('assertion');
    else this.valid = `token-${++this.tokens}`;
    response.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isRight ? { access_token: this.valid, expires_in: 3599, token_type: 'Bearer' } : {}));
  }
}

/** A program of the operator's that takes signed pushes. */
export class PushReceiver extends Stand {
  readonly secret = 'a secret of the receiver';

  async open(): Promise<this> {
    await this.listen(createServer((request, response) => void this.answer(request, response)));
    return this;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const text = await textOf(request);
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
    const right = `v1,${createHmac('sha256', this.secret).update(`${id}.${at}.${text}`).digest('base64')}`;
    if (signature !== right || Math.abs(Date.now() / 1000 - Number(at)) > 30) {
      this.wrong.push('signature');
      response.writeHead(401).end();
      return;
    }
    const { status = 204, headers } = this.answers.shift() ?? {};
    const body = JSON.parse(text) as Record<string, unknown>;
    if (status < 300) this.taken.push({ path: request.url ?? '', headers: request.headers, body });
    response.writeHead(status, headers).end();
  }
}

function part(text: string | undefined): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url').toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

async function textOf(request: AsyncIterable<Buffer | string>): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

async function jsonOf(request: AsyncIterable<Buffer | string>): Promise<Record<string, unknown>> {
  return JSON.parse(await textOf(request)) as Record<string, unknown>;
}
