// Certificates of the listeners that expire within a week, or have expired: each is logged once. Phones refuse a server whose
// certificate has expired, and nothing else here would show it.

import { every } from '../../transport/every.ts';
import type { Config } from '../config/config.ts';
import { Certificates } from '../metrics/certificates.ts';
import type { Log } from './log.ts';

/** The same time as in the alert AortaCertificateExpires. */
const SOON_MS = 7 * 86_400_000;
const LOOK_MS = 60_000;

export class CertificateWatch {
  private readonly config: () => Pick<Config, 'tls' | 'admin'>;
  private readonly log: Log;
  private readonly now: () => number;
  private readonly certificates = new Certificates();
  /** Present certificates that have been logged. */
  private told: ReadonlySet<string> = new Set();
  private readonly timer: NodeJS.Timeout;

  /** @param now epoch ms */
  constructor(config: () => Pick<Config, 'tls' | 'admin'>, log: Log, now: () => number = Date.now) {
    this.config = config;
    this.log = log;
    this.now = now;
    this.look();
    this.timer = every(
      LOOK_MS,
      () => this.look(),
      (error) => log('error', 'certificates cannot be looked at', { error: error.message }),
    );
  }

  close(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const before = this.told;
    const told = new Set<string>();
    for (const { file, subject, endsAt } of this.certificates.read(this.config())) {
      const left = endsAt - this.now();
      if (left >= SOON_MS) continue;
      const event = left > 0 ? 'certificate ends soon' : 'certificate has ended';
      const key = `${event} ${endsAt} ${file}`;
      told.add(key);
      if (!before.has(key))
        this.log(left > 0 ? 'warn' : 'error', event, { file, subject, end: new Date(endsAt).toISOString() });
    }
    this.told = told;
  }
}
