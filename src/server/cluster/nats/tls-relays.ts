// The thread that encrypts the shards' traffic to NATS servers (threads/cluster/tls-relay), as the main thread has it: started where
// servers speak TLS, and restarted where it dies, on the same ports.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { TlsRelayTask } from '../../../threads/cluster/tls-relay.ts';
import { taskFile } from '../../../threads/tasks/task-file.ts';
import { monotonicMs } from '../../../transport/monotonic.ts';
import type { NatsConfig } from '../../config/sections/cluster-config.ts';
import type { Log } from '../../process/log.ts';

const RESTART_MS = 100;
/** Interval at which the same failure of a server is logged. */
const TELL_MS = 60_000;

type News =
  | { readonly type: 'open'; readonly ports: readonly number[] }
  | { readonly type: 'failed'; readonly server: string; readonly why: string };

export class TlsRelays {
  readonly token = randomBytes(24).toString('hex');
  /** Ports on loopback, by server. */
  ports: readonly number[] = [];
  private readonly config: NatsConfig;
  private readonly log: Log;
  private readonly toldAt = new Map<string, number>();
  private worker: Worker | undefined;
  private isClosed = false;

  private constructor(config: NatsConfig, log: Log) {
    this.config = config;
    this.log = log;
  }

  /** Undefined where the servers do not speak TLS. */
  static async open(config: NatsConfig, log: Log): Promise<TlsRelays | undefined> {
    if (!config.servers.some(({ tls }) => tls)) return undefined;
    const relays = new TlsRelays(config, log);
    await new Promise<void>((opened, failed) => void relays.live(opened, failed));
    return relays;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.worker?.terminate();
  }

  private async live(opened: () => void, failed: (error: Error) => void): Promise<void> {
    for (let isOpen = false; !this.isClosed; ) {
      const error = await this.run(() => {
        isOpen = true;
        opened();
      });
      if (this.isClosed) return;
      if (!isOpen) return failed(error);
      this.log('error', 'the thread that encrypts for NATS died', { error: error.message });
      await delay(RESTART_MS);
    }
  }

  /** Runs one life; resolves with the error that ended it. */
  private run(opened: () => void): Promise<Error> {
    const { servers, ca, cert, key } = this.config;
    const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
    const task: TlsRelayTask = { servers, ...files, token: this.token, ports: this.ports };
    return new Promise((resolve) => {
      let reason = new Error('it ended by itself');
      const worker = new Worker(taskFile('tls-relay-task'), { workerData: task });
      this.worker = worker;
      worker.on('message', (news: News) => {
        if (news.type === 'failed') return this.tell(news.server, news.why);
        this.ports = news.ports;
        opened();
      });
      worker.on('error', (error: Error) => {
        reason = error;
      });
      worker.once('exit', () => resolve(reason));
    });
  }

  private tell(server: string, why: string): void {
    const what = `${server} ${why}`;
    if (monotonicMs() - (this.toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    this.toldAt.set(what, monotonicMs());
    this.log('warn', 'a NATS server cannot be reached encrypted', { server, why });
  }
}
