// Changes as signed HTTP requests.

import type { WebhookConfig } from '../config/sections/feed-config.ts';
import { signatureKey, signedHeaders } from '../http/webhook-signature.ts';
import type { Sink } from './delivery.ts';
import type { FeedEntry } from './feed-reader.ts';

export class WebhookSink implements Sink {
  readonly name = 'webhook';
  private readonly config: WebhookConfig;
  private readonly key: Buffer;

  constructor(config: WebhookConfig) {
    this.config = config;
    this.key = signatureKey(config.secret);
  }

  async send(entries: readonly FeedEntry[], signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ events: entries });
    const [{ node, sequence }] = entries;
    const numbers = `${sequence}-${entries[entries.length - 1].sequence}`;
    const id = node === undefined ? numbers : `${node}-${numbers}`;
    const response = await fetch(this.config.url, {
      method: 'POST',
      headers: { ...this.config.headers, ...signedHeaders(this.key, id, body) },
      body,
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`status ${response.status}`);
  }

  async close(): Promise<void> {}
}
