// Proofs of the cluster's secret between nodes over HTTP: of the asking node in its request, and of the answering one in its answer.
// The latter also proves that the answer is unchanged. Requests and answers are not encrypted.

import { createHmac, type Hmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../../../core/auth/derived-key.ts';
import { TakenOnce } from '../taken-once.ts';

const SCHEME = 'Aorta-Node';
export const CODE_BYTES = 32;

/** The proved sender of a request, and its nonce. */
export interface Asked {
  /** Name of the node that asks. */
  readonly from: string;
  readonly nonce: string;
}

export class ExchangeProof {
  private readonly key: Uint8Array;
  private readonly cluster: string;
  private readonly node: string;
  private readonly taken = new TakenOnce();

  /** @param node this one */
  constructor(secret: Uint8Array, cluster: string, node: string) {
    this.key = deriveKey(secret, 'cluster exchanges');
    this.cluster = cluster;
    this.node = node;
  }

  /** Header of a request for a path of another node, and the nonce that proves its answer. */
  ask(to: string, path: string, now: number): { readonly header: string; readonly nonce: string } {
    const nonce = randomBytes(16).toString('hex');
    const code = this.codeOf('ask', this.node, to, path, String(now), nonce).digest('hex');
    return { header: `${SCHEME} ${this.node} ${now} ${nonce} ${code}`, nonce };
  }

  /** Verifies a request; undefined where no node sent it, or it is old or a repetition. */
  asked(header: string | undefined, path: string, now: number): Asked | undefined {
    const [scheme, from = '', at = '', nonce = '', code = ''] = header?.split(' ') ?? [];
    if (scheme !== SCHEME || !/^[0-9a-f]{64}$/.test(code) || !/^[0-9a-f]{32}$/.test(nonce)) return undefined;
    const right = this.codeOf('ask', from, this.node, path, at, nonce).digest();
    if (!timingSafeEqual(right, Buffer.from(code, 'hex'))) return undefined;
    return this.taken.take(nonce, Number(at), now) === 'new' ? { from, nonce } : undefined;
  }

  /** HMAC of an answer: updated with its bytes, its digest follows them. @param by name of the node that answers */
  answer(by: string, path: string, nonce: string): Hmac {
    return this.codeOf('answer', by, '', path, '', nonce);
  }

  private codeOf(...words: readonly string[]): Hmac {
    const hmac = createHmac('sha256', this.key);
    return hmac.update(`${JSON.stringify([this.cluster, ...words])}\n`);
  }
}
