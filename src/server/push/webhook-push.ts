// Pushes as signed HTTP requests to a program of the operator, which sends them on.

import { randomUUID } from 'node:crypto';
import type { PushWebhookConfig } from '../config/sections/push-config.ts';
import { signatureKey, signedHeaders } from '../http/webhook-signature.ts';
import { type Push, type PushAnswer, type PushProvider, RetryLater, retryAfterMs } from './push-provider.ts';

/** Status: the receiver does not know the device, or no longer. */
const GONE = [404, 410];
const LATER = [408, 425, 429];

export class WebhookPush implements PushProvider {
  readonly name = 'webhook';
  private readonly url: string;
  private readonly key: Buffer;
  /** IDs of pushes, for further attempts. */
  private readonly ids = new WeakMap<Push, string>();

  constructor({ url }: PushWebhookConfig, secret: string) {
    this.url = url;
    this.key = signatureKey(secret);
  }

  sends(): boolean {
    return true;
  }

  async send(push: Push, signal: AbortSignal): Promise<PushAnswer> {
    const { provider, param, prid } = push.device;
    const body = JSON.stringify({ type: 'push', reason: push.reason, provider, param, prid, until: push.until });
    const id = this.ids.get(push) ?? randomUUID();
    this.ids.set(push, id);
    const headers = signedHeaders(this.key, id, body);
    const response = await fetch(this.url, { method: 'POST', headers, body, redirect: 'error', signal });
    await response.body?.cancel();
    const { status } = response;
    if (response.ok) return 'sent';
    if (GONE.includes(status)) return 'gone';
    if (status < 500 && !LATER.includes(status)) return 'refused';
    throw new RetryLater(`status ${status}`, retryAfterMs(response.headers.get('retry-after')));
  }

  close(): void {}
}
