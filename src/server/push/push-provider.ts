// A push service as those see it who send pushes: one push in, what became of it out.

import type { PushDevice } from '../../core/binding/push-device.ts';

/** What a push is for: somebody looks the user up, or the binding is about to end. */
export type PushReason = 'call' | 'refresh';

export interface Push {
  readonly device: PushDevice;
  readonly reason: PushReason;
  /** It is of no use behind that, epoch ms. */
  readonly until: number;
}

/** `gone`: the service does not know the device any more. `refused`: it will not have this push, now or later. */
export type PushAnswer = 'sent' | 'gone' | 'refused';

export interface PushProvider {
  /** Of its metrics and its lines in the log. */
  readonly name: 'apns' | 'fcm' | 'webhook';
  /** Whether there are such pushes to the device. */
  sends(push: Push): boolean;
  /** One attempt. Rejects where it may be made again: with a RetryLater, or any error. */
  send(push: Push, signal: AbortSignal): Promise<PushAnswer>;
  close(): void;
}

/** The service wants to be left alone for a while. */
export class RetryLater extends Error {
  /** ms; 0: it has not said for how long */
  readonly afterMs: number;

  constructor(reason: string, afterMs = 0) {
    super(reason);
    this.afterMs = afterMs;
  }
}

/** Of a Retry-After in seconds; 0 where there is none. */
export function retryAfterMs(value: unknown): number {
  return typeof value === 'string' && /^[0-9]{1,6}$/.test(value) ? Number(value) * 1000 : 0;
}
