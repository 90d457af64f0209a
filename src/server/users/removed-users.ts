// Users that were removed lose their bindings: an address that is nobody's any more leads nowhere, nor do its GRUUs (RFC 5627
// §5.4). The user store remembers them until that is done, by whichever server of the data directory runs next.

import type { UserName } from '../../users/user-name.ts';
import type { UserStore } from '../../users/user-store.ts';
import { type GiveOrder, LocationOrders } from '../admin/location-orders.ts';
import type { Log } from '../process/log.ts';

/** How soon after its removal a user is looked for. */
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

  /** Resolves when what is under way has ended; what is left is for the next start. */
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

  /** False where it is to be tried again. A domain that is not served has no bindings that anybody is told of. */
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
