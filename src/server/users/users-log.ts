// Log lines about damaged users.

import type { UserName } from '../../users/user-name.ts';
import type { Log } from '../process/log.ts';

/** The identity of such a user cannot be checked: requests in its name draw 503. */
export function logDamagedUser(log: Log, { name, realm }: UserName): void {
  log('error', 'a user is damaged: add or import it anew', { user: `${name}@${realm}` });
}
