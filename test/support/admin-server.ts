// A server inside the test with an admin listener, and requests to it.

import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { readToken } from '../../src/server/admin/admin-files.ts';
import { type Config, DEFAULT_CONFIG } from '../../src/server/config/config.ts';
import { startServer } from '../../src/server/server.ts';
import type { Server } from '../../src/server/server-api.ts';
import { temporaryDirectory } from './aorta-process.ts';
import { SipClient } from './sip-client.ts';

export interface AdminFixture {
  readonly server: Server;
  readonly config: Config;
  readonly url: string;
  readonly token: string;
  readonly log: { level: string; event: string; fields: Record<string, unknown> | undefined }[];
  /** A SIP client of the server. */
  client(): Promise<SipClient>;
  stop(): Promise<void>;
}

/** One shard, domain example.com, in-process; both listeners on free ports of 127.0.0.1. */
export async function startAdmin(changes: Partial<Config> = {}): Promise<AdminFixture> {
  const config: Config = {
    ...DEFAULT_CONFIG,
    listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    data: temporaryDirectory(),
    shards: 1,
    policy: { ...DEFAULT_POLICY, domains: ['example.com'] },
    admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: false },
    ...changes,
  };
  const log: AdminFixture['log'] = [];
  const server = await startServer(config, (level, event, fields) => log.push({ level, event, fields }));
  const clients: SipClient[] = [];
  return {
    server,
    config,
    url: server.adminUrl ?? '',
    token: readToken(config.data) ?? '',
    log,
    client: async () => {
      const [{ host, port }] = server.listen;
      const client = await SipClient.open({ address: host, port });
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) client.close();
      await server.stop();
    },
  };
}

/** Samples of a scrape by name and labels as they stand in the text. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    samples.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return samples;
}

export interface FeedEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A client of the change feed. Resolves when the server has begun to answer. @param lastId to go on behind */
export async function openFeed(
  url: string,
  lastId?: string,
): Promise<{ next(): Promise<FeedEvent>; close(): Promise<void> }> {
  const stop = new AbortController();
  const answer = await fetch(url, {
    signal: stop.signal,
    headers: { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) },
  });
  if (answer.body === null || answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    next: async () => {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end >= 0) {
          const fields = Object.fromEntries(
            text
              .slice(0, end)
              .split('\n')
              .map((line) => line.split(/: ?(.*)/s)),
          );
          text = text.slice(end + 2);
          if (fields.data !== undefined) return { id: fields.id, event: fields.event, data: JSON.parse(fields.data) };
          continue;
        }
        const { value, done } = await reader.read();
        if (done) throw new Error('the feed ended');
        text += value;
      }
    },
    close: async () => {
      stop.abort();
      await reader.cancel().catch(() => {});
    },
  };
}
