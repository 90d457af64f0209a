// The part `push` of the configuration: the devices to wake, and the push services.

import type { Policy } from '../../../core/uas/policy.ts';
import { type PushPolicy, type PushService, shortestPushS } from '../../../core/uas/push-policy.ts';
import type { Fault } from '../config-problem.ts';

export interface PushConfig {
  /** Time that a lookup waits for the devices that it has woken. */
  readonly waitMs: number;
  /** Devices are woken this long before their binding expires; 0: they are not. */
  readonly refreshS: number;
  /** Bindings are kept this long after their expiry, for lookups to wake their devices. */
  readonly dormantS: number;
  /** Pushes per second, of all services together. */
  readonly perSecond: number;
  /** Contacts of unsupported services are bound without push (`accept`), or refused with 555. */
  readonly otherServices: 'accept' | 'refuse';
  /** Time for one attempt. */
  readonly timeoutMs: number;
  /** Pause after the first failure; it doubles from then on. */
  readonly retryMs: number;
  /** Failures in a row after which a service gets no requests, and for how long. */
  readonly failures: number;
  readonly openMs: number;
  readonly apns?: ApnsConfig;
  readonly fcm?: FcmConfig;
  readonly webhook?: PushWebhookConfig;
}

export interface ApnsConfig {
  readonly url: string;
  readonly teamId: string;
  readonly keyId: string;
  /** File of a private key for ES256 (PEM), as Apple gives it: `AuthKey_….p8`. */
  readonly keyFile: string;
}

export interface FcmConfig {
  readonly url: string;
  /** File of a service account, as Google gives it: JSON. */
  readonly accountFile: string;
}

export interface PushWebhookConfig {
  readonly url: string;
  /** File with the key of the signature. */
  readonly secretFile: string;
  /** Values of pn-provider whose devices it wakes. */
  readonly providers: readonly string[];
  /** Public key that identifies the receiver to web push services (RFC 8292); absent: it stays anonymous. */
  readonly vapidKey?: string;
}

export const DEFAULT_PUSH: PushConfig = {
  waitMs: 8000,
  refreshS: 180,
  dormantS: 604_800,
  perSecond: 200,
  otherServices: 'accept',
  timeoutMs: 3000,
  retryMs: 250,
  failures: 5,
  openMs: 10_000,
};

export const DEFAULT_APNS = { url: 'https://api.push.apple.com' };
export const DEFAULT_FCM = { url: 'https://fcm.googleapis.com' };

/** The part for REGISTER and lookups. */
export function pushPolicyOf(push: PushConfig | undefined): PushPolicy | null {
  if (push === undefined) return null;
  const { apns, fcm, webhook, refreshS, dormantS, otherServices } = push;
  const services: PushService[] = [
    ...(apns ? [{ name: 'apns', needsParam: true, vapid: '' }] : []),
    ...(fcm ? [{ name: 'fcm', needsParam: true, vapid: '' }] : []),
    ...(webhook?.providers ?? []).map((name) => ({
      name,
      needsParam: name === 'apns' || name === 'fcm',
      vapid: name === 'webpush' ? (webhook?.vapidKey ?? '') : '',
    })),
  ];
  return { services, refreshS, dormantS, refusesOthers: otherServices === 'refuse' };
}

/** Faults of the section; paths below `push`. */
export function pushFaults(push: PushConfig | undefined, { maxExpiresS }: Policy): Fault[] {
  const policy = pushPolicyOf(push);
  if (push === undefined || policy === null) return [];
  const faults: Fault[] = [];
  if (policy.services.length === 0) faults.push({ path: [], text: 'needs apns, fcm or webhook' });
  const names = policy.services.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    faults.push({ path: ['webhook', 'providers'], text: `${twice} is served by another section, too` });
  if (shortestPushS(policy) > maxExpiresS)
    faults.push({
      path: ['refresh-s'],
      text: (spell) =>
        `needs bindings of ${shortestPushS(policy)} s or more, and ${spell('policy.max-expires')} is ${maxExpiresS}`,
    });
  return faults;
}
