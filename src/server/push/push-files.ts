// Keys of push services, read from their files. Messages about a faulty one never reveal its content.

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { Fault } from '../config/config-problem.ts';
import type { PushConfig } from '../config/sections/push-config.ts';
import type { ServiceAccount } from './fcm-push.ts';

const Account = z.object({
  project_id: z.string().regex(/^[a-z0-9.:-]+$/),
  client_email: z.string().min(3),
  private_key: z.string(),
  token_uri: z.url(),
});

/** Throws a RangeError, or the system's error. */
export function readApnsKey(name: string): KeyObject {
  const key = readKey(readFileSync(name, 'utf8'));
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw new RangeError('no private key for ES256 (PEM)');
}

/** Throws a RangeError, or the system's error. */
export function readServiceAccount(name: string): ServiceAccount {
  const found = Account.safeParse(jsonOf(readFileSync(name, 'utf8')));
  if (!found.success) throw new RangeError('no key of a service account (JSON)');
  const { project_id: projectId, client_email: email, private_key: pem, token_uri: tokenUrl } = found.data;
  const key = readKey(pem);
  if (key?.asymmetricKeyType !== 'rsa') throw new RangeError('its private_key is none for RS256');
  return { projectId, email, tokenUrl, key };
}

/** Throws a RangeError, or the system's error. */
export function readSecret(name: string): string {
  const secret = readFileSync(name, 'utf8').trim();
  if (secret.length >= 16) return secret;
  throw new RangeError('a secret has 16 characters or more');
}

/** Faults of the files; paths below `push`. */
export function pushFileFaults({ apns, fcm, webhook }: PushConfig): Fault[] {
  return [
    ...(apns ? faultOf(['apns', 'key-file'], apns.keyFile, readApnsKey) : []),
    ...(fcm ? faultOf(['fcm', 'account-file'], fcm.accountFile, readServiceAccount) : []),
    ...(webhook ? faultOf(['webhook', 'secret-file'], webhook.secretFile, readSecret) : []),
  ];
}

function faultOf(path: readonly string[], name: string, read: (name: string) => unknown): Fault[] {
  try {
    read(name);
    return [];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [{ path, text: `${name}: ${code === 'ENOENT' ? 'no such file' : message}` }];
  }
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
