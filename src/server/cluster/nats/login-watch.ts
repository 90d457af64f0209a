// Keeps the login for the NATS servers equal to the credentials file, for threads that read no files: credentials change without a
// restart.

import { every } from '../../../transport/every.ts';
import { SharedLogin } from '../../../transport/nats/shared-login.ts';
import type { NatsConfig } from '../../config/sections/cluster-config.ts';
import type { Log } from '../../process/log.ts';
import { readLogin } from './nats-client.ts';

const LOOK_MS = 5000;

export class LoginWatch {
  private readonly config: NatsConfig;
  private readonly shared: SharedLogin;
  private readonly timer: NodeJS.Timeout;
  private said = '';

  /** @param memory of a SharedLogin. Throws a ClusterError where the file cannot be used */
  constructor(config: NatsConfig, memory: SharedArrayBuffer, log: Log) {
    this.config = config;
    this.shared = new SharedLogin(memory);
    this.look();
    const failed = (error: Error) => log('warn', 'the NATS credentials cannot be read', { error: error.message });
    this.timer = every(LOOK_MS, () => this.look(), failed);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const login = readLogin(this.config);
    const text = JSON.stringify(login);
    if (text === this.said) return;
    this.shared.set(login);
    this.said = text;
  }
}
