// How a node proves, in a request over HTTP to another node, that it has the cluster's secret; and the other one, in its answer, that it
// has it, too, and that nothing of the answer was changed. What is asked and answered is not encrypted.

import { createHmac, type Hmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../../../core/auth/derived-key.ts';
import { TakenOnce } from '../taken-once.ts';

const SCHEME = 'Aorta-Node';
export const CODE_BYTES = 32;

/** What the other node says of a request. */
export interface Asked {
  /** The node that asks. */
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

  /** Header of a request for a path of another node, and the nonce that its answer is to be proved with. */
  ask(to: string, path: string, now: number): { readonly header: string; readonly nonce: string } {
    const nonce = randomBytes(16).toString('hex');
    const code = this.codeOf('ask', this.node, to, path, String(now), nonce).digest('hex');
    return { header: `${SCHEME} ${this.node} ${now} ${nonce} ${code}`, nonce };
  }

  /** Undefined where the request is no node's, is old, or comes again. */
  asked(header: string | undefined, path: string, now: number): Asked | undefined {
    const [scheme, from = '', at = '', nonce = '', code = ''] = header?.split(' ') ?? [];
    if (scheme !== SCHEME || !/^[0-9a-f]{64}$/.test(code) || !/^[0-9a-f]{32}$/.test(nonce)) return undefined;
    const right = this.codeOf('ask', from, this.node, path, at, nonce).digest();
    if (!timingSafeEqual(right, Buffer.from(code, 'hex'))) return undefined;
    return this.taken.take(nonce, Number(at), now) === 'new' ? { from, nonce } : undefined;
  }

  /** Of an answer: updated with its bytes, its digest stands behind them. @param by the node that answers */
  answer(by: string, path: string, nonce: string): Hmac {
    return this.codeOf('answer', by, '', path, '', nonce);
  }

  private codeOf(...words: readonly string[]): Hmac {
    const hmac = createHmac('sha256', this.key);
    return hmac.update(`${JSON.stringify([this.cluster, ...words])}\n`);
  }
}
