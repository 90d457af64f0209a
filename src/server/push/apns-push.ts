// Pushes to devices of Apple: HTTP/2 to APNs with a token of the provider's (JWT, ES256), over one connection that is reopened after
// its end.

import type { KeyObject } from 'node:crypto';
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { SignJWT } from 'jose';
import type { ApnsConfig } from '../config/sections/push-config.ts';
import { type ApnsTarget, apnsTarget } from './apns-device.ts';
import { type Push, type PushAnswer, type PushProvider, RetryLater, retryAfterMs } from './push-provider.ts';

/** Apple allows a new token once in 20 minutes at most, and refuses one that is an hour old. */
const TOKEN_MS = 45 * 60_000;
const ANSWER_BYTES_MAX = 4096;
const GONE = ['BadDeviceToken', 'DeviceTokenNotForTopic', 'Unregistered', 'ExpiredToken'];
const TOKEN_EXPIRED = 'ExpiredProviderToken';

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
}

export class ApnsPush implements PushProvider {
  readonly name = 'apns';
  private readonly config: ApnsConfig;
  private readonly key: KeyObject;
  private session: ClientHttp2Session | undefined;
  private token: { readonly text: Promise<string>; readonly madeAt: number } | undefined;

  constructor(config: ApnsConfig, key: KeyObject) {
    this.config = config;
    this.key = key;
  }

  sends(push: Push): boolean {
    return apnsTarget(push)?.teamId === this.config.teamId;
  }

  async send(push: Push, signal: AbortSignal): Promise<PushAnswer> {
    const target = apnsTarget(push);
    if (target === undefined) return 'refused';
    const { status, reason, headers } = await this.post(target, push, signal);
    if (status === 200) return 'sent';
    if (status === 410 || GONE.includes(reason)) return 'gone';
    if (reason === TOKEN_EXPIRED) this.token = undefined;
    else if (status < 500 && status !== 429) return 'refused';
    throw new RetryLater(`status ${status} ${reason}`, retryAfterMs(headers['retry-after']));
  }

  close(): void {
    this.session?.destroy();
    this.session = undefined;
  }

  private async post(target: ApnsTarget, push: Push, signal: AbortSignal): Promise<Answer> {
    const { topic, token, type, priority } = target;
    const aps = type === 'background' ? { 'content-available': 1 } : {};
    const body = JSON.stringify({ aps, reason: push.reason });
    const headers = {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/3/device/${token}`,
      authorization: `bearer ${await this.providerToken()}`,
      'apns-topic': topic,
      'apns-push-type': type,
      'apns-priority': String(priority),
      'apns-expiration': String(Math.ceil(push.until / 1000)),
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    };
    return new Promise((resolve, reject) => {
      const session = this.connected();
      const stream = session.request(headers, { signal });
      let answer: IncomingHttpHeaders = {};
      let text = '';
      stream.setEncoding('utf8');
      stream.on('response', (received) => (answer = received));
      stream.on('data', (part: string) => {
        if (text.length < ANSWER_BYTES_MAX) text += part;
      });
      stream.on('error', (error) => {
        if (signal.aborted) this.leave(session);
        reject(error);
      });
      stream.on('close', () => {
        const status = Number(answer[constants.HTTP2_HEADER_STATUS]);
        if (status > 0) resolve({ status, reason: reasonIn(text), headers: answer });
        else reject(new Error('the connection ended without an answer'));
      });
      stream.end(body);
    });
  }

  private providerToken(): Promise<string> {
    const now = Date.now();
    if (this.token !== undefined && now - this.token.madeAt < TOKEN_MS) return this.token.text;
    const { teamId, keyId } = this.config;
    const text = new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid: keyId })
      .setIssuer(teamId)
      .setIssuedAt(Math.floor(now / 1000))
      .sign(this.key);
    this.token = { text, madeAt: now };
    return text;
  }

  /** A connection that gave no answer in time may be dead, or have a dead end: the next push takes another. */
  private leave(session: ClientHttp2Session): void {
    if (this.session === session) this.session = undefined;
    session.close();
  }

  private connected(): ClientHttp2Session {
    const { session } = this;
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const made = connect(this.config.url);
    const forget = () => {
      if (this.session === made) this.session = undefined;
    };
    made.on('error', forget); // the requests in progress get it, too
    made.on('goaway', forget);
    made.on('close', forget);
    made.unref();
    this.session = made;
    return made;
  }
}

function reasonIn(text: string): string {
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown };
    return typeof reason === 'string' ? reason.slice(0, 64) : '';
  } catch {
    return '';
  }
}
