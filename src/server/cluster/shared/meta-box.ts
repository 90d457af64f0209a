// Nodes exchange users and static bindings over a stream that others may read and write to. So each message is sealed with a key derived
// from the cluster's secret, and is valid for its subject alone.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { deriveKey } from '../../../core/auth/derived-key.ts';

const CIPHER = 'aes-128-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const NAME_DIGITS = 32;

export class MetaBox {
  private readonly key: Uint8Array;

  constructor(secret: Uint8Array) {
    this.key = deriveKey(secret, 'cluster meta');
  }

  /** Name of a user or a binding in a subject; it does not reveal them. */
  nameOf(what: string): string {
    return createHash('sha256').update(this.key).update(what).digest('hex').slice(0, NAME_DIGITS);
  }

  seal(subject: string, content: unknown): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.key, iv).setAAD(Buffer.from(subject));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(content)), cipher.final()]);
    return Buffer.concat([iv, sealed, cipher.getAuthTag()]);
  }

  /** The content; undefined where no node of this cluster has written it, for this subject. */
  open(subject: string, bytes: Uint8Array): unknown {
    const end = bytes.length - TAG_BYTES;
    if (end < IV_BYTES) return undefined;
    try {
      const decipher = createDecipheriv(CIPHER, this.key, bytes.subarray(0, IV_BYTES)).setAAD(Buffer.from(subject));
      decipher.setAuthTag(bytes.subarray(end));
      return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, end)), decipher.final()]).toString());
    } catch {
      return undefined;
    }
  }
}
