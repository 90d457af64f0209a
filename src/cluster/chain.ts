// Every node checks the promises of the stream's engine: each frame of a stream follows the one before, and between two claims only the claimant
// writes. No node applies a frame that breaks this.

import type { Applied } from '../location/log/control-entry.ts';
import { FRAME_CLAIM, type FrameReader } from './stream-frame.ts';

type FrameClaims = Pick<FrameReader, 'kind' | 'epoch' | 'node' | 'life' | 'previous'>;

/** Reason why a sound frame, the first after the applied position, does not follow it; null: it follows. */
export function breaksChain(frame: FrameClaims, applied: Applied): string | null {
  if (frame.previous !== applied.sum) return 'it follows upon another frame than the one before';
  if (frame.kind === FRAME_CLAIM)
    return frame.epoch > applied.epoch ? null : `its claim ${frame.epoch} is no newer one`;
  const { epoch, node, life } = frame;
  if (epoch === applied.epoch && node === applied.node && life === applied.life) return null;
  return `node ${node} writes under claim ${epoch}, and claim ${applied.epoch} is node ${applied.node}'s`;
}
