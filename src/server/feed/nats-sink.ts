// Changes as messages of NATS: a JetStream stream acknowledges each, and drops repetitions by its ID.

import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, headers, type NatsConnection, type TlsOptions } from '@nats-io/transport-node';
import { identityCheck } from '../../transport/nats/nats-identity.ts';
import type { NatsConfig } from '../config/sections/feed-config.ts';
import { readMeta } from '../data/directory-meta.ts';
import type { Sink } from './delivery.ts';
import type { FeedEntry } from './feed-reader.ts';

/** Replaces the domain where changes were lost. */
const NO_DOMAIN = '_';

export class NatsSink implements Sink {
  readonly name = 'nats';
  private readonly config: NatsConfig;
  /** Distinguishes the numbers of this data directory from those of others. */
  private readonly origin: string;
  private connection: NatsConnection | undefined;

  /** @param of the data directory, and the node's name */
  constructor(config: NatsConfig, { data, node }: { readonly data: string; readonly node?: string }) {
    this.config = config;
    const created = Buffer.from(readMeta(data)?.content.created ?? '').toString('base64url');
    this.origin = node === undefined ? created : `${created}-${node}`;
  }

  async send(entries: readonly FeedEntry[]): Promise<void> {
    const connection = await this.connected();
    const acknowledged = await Promise.allSettled(entries.map((entry) => this.publish(connection, entry)));
    const refused = acknowledged.find((one) => one.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
  }

  async close(): Promise<void> {
    await this.connection?.close();
  }

  private async connected(): Promise<NatsConnection> {
    if (this.connection !== undefined && !this.connection.isClosed()) return this.connection;
    const { servers, timeoutMs, token, credentials } = this.config;
    this.connection = await connect({
      servers: [...servers],
      name: 'aorta',
      timeout: timeoutMs,
      maxReconnectAttempts: -1,
      ...tlsOf(this.config),
      ...(token !== undefined && { token }),
      ...(credentials !== undefined && { authenticator: credsAuthenticator(readFileSync(credentials)) }),
    });
    return this.connection;
  }

  /** Resolves when a stream has stored it. */
  private async publish(connection: NatsConnection, entry: FeedEntry): Promise<void> {
    const subject = this.subjectOf(entry);
    const id = headers();
    id.set('Nats-Msg-Id', `${this.origin}-${entry.sequence}`);
    const options = { timeout: this.config.timeoutMs, headers: id };
    const answer = await connection.request(subject, JSON.stringify(entry), options).catch((error: Error) => {
      throw /no responders/i.test(`${error.name} ${error.message}`) ? new Error(`no stream accepts ${subject}`) : error;
    });
    const { error, seq } = answer.json<{ error?: { description?: string }; seq?: number }>();
    if (error !== undefined) throw new Error(error.description ?? 'the stream refuses it');
    if (typeof seq !== 'number') throw new Error(`${subject} is answered, but by no stream`);
  }

  private subjectOf(entry: FeedEntry): string {
    if (entry.type === 'lost') return `${this.config.subject}.${NO_DOMAIN}.lost`;
    const domain = entry.aor.slice(entry.aor.lastIndexOf('@') + 1);
    return `${this.config.subject}.${domain.replace(/[^A-Za-z0-9_-]/g, '_')}.${entry.type}`;
  }
}

/** The library passes over `tls://`. With this option nothing is sent to a server that does not encrypt. */
function tlsOf({ servers, ca }: NatsConfig): { tls?: TlsOptions } {
  if (!servers.some((server) => /^tls:/i.test(server))) return {};
  const hosts = servers.map((server) => new URL(`http://${server.replace(/^.*:\/\//, '')}`).hostname);
  const check = identityCheck(hosts.map((host) => host.replace(/^\[|\]$/g, '')));
  return { tls: { handshakeFirst: false, ...(ca !== undefined && { caFile: ca }), ...check } };
}
