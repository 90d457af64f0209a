// A push service as the senders of pushes see it: one push in, its result out.

import type { PushDevice } from '../../core/binding/push-device.ts';

/** The reason of a push: a lookup of the user, or a binding that is about to expire. */
export type PushReason = 'call' | 'refresh';

export interface Push {
  readonly device: PushDevice;
  readonly reason: PushReason;
  /** The push is useless after it, epoch ms. */
  readonly until: number;
}

/** `gone`: the service no longer knows the device. `refused`: it refuses this push, now and later. */
export type PushAnswer = 'sent' | 'gone' | 'refused';

export interface PushProvider {
  /** Name for its metrics and its lines in the log. */
  readonly name: 'apns' | 'fcm' | 'webhook';
  /** Whether the service has such pushes for the device. */
  sends(push: Push): boolean;
  /** One attempt. Rejects where another one may follow: with a RetryLater, or any error. */
  send(push: Push, signal: AbortSignal): Promise<PushAnswer>;
  close(): void;
}

/** The service asks for a pause. */
export class RetryLater extends Error {
  /** ms; 0: no time was given */
  readonly afterMs: number;

  constructor(reason: string, afterMs = 0) {
    super(reason);
    this.afterMs = afterMs;
  }
}

/** Value of a Retry-After in seconds, in ms; 0 without one. */
export function retryAfterMs(value: unknown): number {
  return typeof value === 'string' && /^[0-9]{1,6}$/.test(value) ? Number(value) * 1000 : 0;
}
