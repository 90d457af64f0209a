// Bindings of removed users are removed: an AOR without a user must not be reachable, nor its GRUUs (RFC 5627 §5.4). The user
// store remembers such users until then, for any later server of the data directory.

import type { UserName } from '../../users/user-name.ts';
import type { UserStore } from '../../users/user-store.ts';
import { type GiveOrder, LocationOrders } from '../admin/location-orders.ts';
import type { Log } from '../process/log.ts';

/** Interval of looks for removed users. */
const LOOK_MS = 1000;

export type RemovedFromStore = Pick<UserStore, 'removed' | 'settleRemoved'>;

export class RemovedUsers {
  private readonly store: RemovedFromStore;
  private readonly orders: LocationOrders;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();

  constructor(store: RemovedFromStore, give: GiveOrder, log: Log) {
    this.store = store;
    this.orders = new LocationOrders(give);
    this.log = log;
    this.plan();
  }

  /** Resolves when the work in progress has ended; the next start does the rest. */
  close(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return this.working;
  }

  private plan(): void {
    this.timer = setTimeout(() => {
      this.working = this.look();
    }, LOOK_MS);
    this.timer.unref();
  }

  private async look(): Promise<void> {
    try {
      const users = this.store.removed();
      const gone: UserName[] = [];
      for (const user of users) if (this.timer !== undefined && (await this.unbind(user))) gone.push(user);
      if (gone.length > 0) await this.store.settleRemoved(gone);
    } catch (error) {
      this.log('warn', 'removed users cannot be looked for', { error: String(error) });
    }
    if (this.timer !== undefined) this.plan();
  }

  /** False where it must be tried again. A domain that is not served has no bindings that lookups could find. */
  private async unbind({ name, realm }: UserName): Promise<boolean> {
    try {
      await this.orders.removeAll(`${name}@${realm}`, { program: 'user-removed' });
      return true;
    } catch (error) {
      const settled = (error as { status?: number }).status === 404;
      if (!settled) this.log('warn', 'bindings of a removed user stay for now', { error: String(error) });
      return settled;
    }
  }
}
