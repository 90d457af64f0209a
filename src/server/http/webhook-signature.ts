// Signatures of HTTP requests in the form of Standard Webhooks (www.standardwebhooks.com).

import { createHmac } from 'node:crypto';

const BASE64_KEY = 'whsec_';

/** The key of a secret: the base64 part after `whsec_`, or its own bytes. */
export function signatureKey(secret: string): Buffer {
  return secret.startsWith(BASE64_KEY) ? Buffer.from(secret.slice(BASE64_KEY.length), 'base64') : Buffer.from(secret);
}

/** The headers that name and sign a request. @param id the same for a repetition */
export function signedHeaders(key: Buffer, id: string, body: string): Record<string, string> {
  const seconds = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature}`,
  };
}
