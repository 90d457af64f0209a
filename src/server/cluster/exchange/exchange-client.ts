// Asks another node over HTTP, and hands on its answer as it arrives. Only the end of an answer proves that it is from that node.

import { timingSafeEqual } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { ClusterError, clusterError } from '../cluster-error.ts';
import { CODE_BYTES, type ExchangeProof } from './exchange-proof.ts';

const IDLE_MS = 10_000;
const PROBLEM_BYTES_MAX = 1000;

/** Address at which a node answers others. */
export interface NodePlace {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/**
 * @param take gets the answer piece by piece, and is awaited
 * @throws ClusterError where there is no answer, or it is not proved: then all pieces are worthless
 */
export async function askNode(
  proof: ExchangeProof,
  place: NodePlace,
  path: string,
  take: (bytes: Buffer) => void | Promise<void>,
): Promise<void> {
  const { name } = place;
  try {
    const { header, nonce } = proof.ask(name, path, Date.now());
    const response = await responseOf(place, path, header);
    if (response.statusCode !== 200) throw new ClusterError(`node ${name}: ${await problemOf(response)}`);
    const code = proof.answer(name, path, nonce);
    let tail: Buffer = Buffer.alloc(0);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const all = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
      const end = Math.max(0, all.length - CODE_BYTES);
      tail = Buffer.from(all.subarray(end));
      code.update(all.subarray(0, end));
      if (end > 0) await take(all.subarray(0, end));
    }
    const right = code.digest();
    if (tail.length !== CODE_BYTES || !timingSafeEqual(tail, right))
      throw new ClusterError(`node ${name}: its answer is cut off, or somebody else's`);
  } catch (error) {
    throw clusterError(`node ${name}`, error);
  }
}

function responseOf({ host, port }: NodePlace, path: string, header: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, headers: { authorization: header }, timeout: IDLE_MS, agent: false });
    asked.on('response', resolve);
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', reject);
    asked.end();
  });
}

async function problemOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (text.length > PROBLEM_BYTES_MAX) break;
  }
  return text.slice(0, PROBLEM_BYTES_MAX) || `status ${response.statusCode}`;
}
