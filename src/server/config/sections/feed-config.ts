// The part `feed` of the configuration: changes of bindings under numbers that outlive the process, and their destinations.

export interface FeedConfig {
  /** Bytes of each shard's files; beyond that the oldest changes are dropped. */
  readonly keepBytes: number;
  /** Whether refreshes are in the feed. */
  readonly refreshes: boolean;
  readonly webhook?: WebhookConfig;
  readonly nats?: NatsConfig;
}

/** Further attempts after a destination has failed. */
export interface RetryConfig {
  /** Time for one attempt. */
  readonly timeoutMs: number;
  /** Pause after the first failure; it doubles from then on. */
  readonly retryMs: number;
  /** The longest pause. */
  readonly retryMaxMs: number;
  /** Failures in a row that open the breaker: from then on one attempt is made in each longest pause. */
  readonly failures: number;
}

export interface WebhookConfig extends RetryConfig {
  readonly url: string;
  /** Key of the signature. */
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Changes in one request. */
  readonly batchMax: number;
}

export interface NatsConfig extends RetryConfig {
  /** `HOST:PORT` or a `nats://`, `tls://` URL without credentials. */
  readonly servers: readonly string[];
  /** Prefix of the subjects. */
  readonly subject: string;
  /** A file with a JWT and a seed, as `nsc` writes it. */
  readonly credentials?: string;
  readonly token?: string;
  /** A file with the certificates of authorities for `tls://` servers; without it, those of the system count. */
  readonly ca?: string;
  /** Messages that wait for their acknowledgement at a time. */
  readonly batchMax: number;
}

export const DEFAULT_FEED: FeedConfig = { keepBytes: 256 << 20, refreshes: true };

const RETRY: RetryConfig = { timeoutMs: 5000, retryMs: 500, retryMaxMs: 30_000, failures: 5 };

export const DEFAULT_WEBHOOK: Omit<WebhookConfig, 'url' | 'secret'> = { ...RETRY, headers: {}, batchMax: 100 };

export const DEFAULT_NATS: Omit<NatsConfig, 'servers'> = { ...RETRY, subject: 'aorta.events', batchMax: 256 };
