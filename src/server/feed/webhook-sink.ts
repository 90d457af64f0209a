// Changes as signed HTTP requests, in the form of Standard Webhooks (www.standardwebhooks.com).

import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../config/sections/feed-config.ts';
import type { Sink } from './delivery.ts';
import type { FeedEntry } from './feed-reader.ts';

const BASE64_KEY = 'whsec_';

export class WebhookSink implements Sink {
  readonly name = 'webhook';
  private readonly config: WebhookConfig;
  private readonly key: Buffer;

  constructor(config: WebhookConfig) {
    this.config = config;
    const { secret } = config;
    const isBase64 = secret.startsWith(BASE64_KEY);
    this.key = isBase64 ? Buffer.from(secret.slice(BASE64_KEY.length), 'base64') : Buffer.from(secret);
  }

  async send(entries: readonly FeedEntry[], signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ events: entries });
    const id = `${entries[0].sequence}-${entries[entries.length - 1].sequence}`;
    const seconds = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', this.key).update(`${id}.${seconds}.${body}`).digest('base64');
    const response = await fetch(this.config.url, {
      method: 'POST',
      headers: {
        ...this.config.headers,
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': `v1,${signature}`,
      },
      body,
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`status ${response.status}`);
  }

  async close(): Promise<void> {}
}
