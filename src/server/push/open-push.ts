// The push service of a registrar, where its configuration has one: its code is loaded only then.

import type { Config } from '../config/config.ts';
import type { Log } from '../process/log.ts';
import type { PushService } from './push-service.ts';

/** Throws the error of a key that cannot be read. */
export async function openPush({ push }: Config, log: Log): Promise<PushService | undefined> {
  if (push === undefined) return undefined;
  const { PushService } = await import('./push-service.ts');
  return new PushService(push, log);
}
