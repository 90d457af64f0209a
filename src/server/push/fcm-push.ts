// Pushes to devices of Google: HTTP v1 of Firebase Cloud Messaging, with an access token of a service account (RFC 7523).

import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import type { FcmConfig } from '../config/sections/push-config.ts';
import { type Push, type PushAnswer, type PushProvider, RetryLater, retryAfterMs } from './push-provider.ts';

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ASSERTION_S = 3600;
/** Time before its expiry at which an access token is replaced. */
const EARLY_MS = 60_000;
const GONE = ['UNREGISTERED', 'SENDER_ID_MISMATCH'];

/** A service account's key, read from its file. */
export interface ServiceAccount {
  readonly projectId: string;
  readonly email: string;
  readonly tokenUrl: string;
  readonly key: KeyObject;
}

const Token = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const Refusal = z.object({
  error: z.object({
    status: z.string().optional(),
    details: z.array(z.object({ errorCode: z.string().optional() })).optional(),
  }),
});

export class FcmPush implements PushProvider {
  readonly name = 'fcm';
  private readonly url: string;
  private readonly account: ServiceAccount;
  private token: { readonly text: string; readonly until: number } | undefined;
  private asking: Promise<string> | undefined;

  constructor({ url }: FcmConfig, account: ServiceAccount) {
    this.account = account;
    this.url = `${url.replace(/\/$/, '')}/v1/projects/${account.projectId}/messages:send`;
  }

  sends(): boolean {
    return true;
  }

  async send(push: Push, signal: AbortSignal): Promise<PushAnswer> {
    const token = await this.accessToken(signal);
    const seconds = Math.max(1, Math.ceil((push.until - Date.now()) / 1000));
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        message: {
          token: push.device.prid,
          android: { priority: 'HIGH', ttl: `${seconds}s` },
          data: { reason: push.reason },
        },
      }),
      redirect: 'error',
      signal,
    });
    if (response.ok) {
      await response.body?.cancel();
      return 'sent';
    }
    const { status } = response;
    const codes = codesIn(await response.text());
    if (status === 404 || codes.some((code) => GONE.includes(code))) return 'gone';
    if (status === 401) this.token = undefined;
    else if (status < 500 && status !== 429) return 'refused';
    throw new RetryLater(`status ${status} ${codes[0] ?? ''}`, retryAfterMs(response.headers.get('retry-after')));
  }

  close(): void {}

  /** Google is asked once for all concurrent callers. */
  private accessToken(signal: AbortSignal): Promise<string> {
    if (this.token !== undefined && Date.now() < this.token.until) return Promise.resolve(this.token.text);
    this.asking ??= this.fetchToken(signal).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async fetchToken(signal: AbortSignal): Promise<string> {
    const { email, tokenUrl, key } = this.account;
    const now = Math.floor(Date.now() / 1000);
    const assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(email)
      .setAudience(tokenUrl)
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_S)
      .sign(key);
    const response = await fetch(tokenUrl, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: GRANT, assertion }),
      redirect: 'error',
      signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new RetryLater(`no access token: status ${response.status}`);
    }
    const { access_token: text, expires_in: seconds } = Token.parse(await response.json());
    this.token = { text, until: Date.now() + seconds * 1000 - EARLY_MS };
    return text;
  }
}

function codesIn(text: string): string[] {
  try {
    const { status, details = [] } = Refusal.parse(JSON.parse(text)).error;
    return [...details.flatMap(({ errorCode }) => errorCode ?? []), ...(status === undefined ? [] : [status])];
  } catch {
    return [];
  }
}
