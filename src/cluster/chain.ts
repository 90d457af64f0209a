// What the engine promises, checked by every node: each frame of a stream follows upon the one before, and between two claims only the
// claimer writes. A frame that breaks this is followed by nobody.

import type { Applied } from '../location/log/control-entry.ts';
import { FRAME_CLAIM, type FrameReader } from './stream-frame.ts';

type FrameClaims = Pick<FrameReader, 'kind' | 'epoch' | 'node' | 'life' | 'previous'>;

/** Why a sound frame, the first behind what was applied, does not follow upon that; null where it does. */
export function breaksChain(frame: FrameClaims, applied: Applied): string | null {
  if (frame.previous !== applied.sum) return 'it follows upon another frame than the one before';
  if (frame.kind === FRAME_CLAIM)
    return frame.epoch > applied.epoch ? null : `its claim ${frame.epoch} is no newer one`;
  const { epoch, node, life } = frame;
  if (epoch === applied.epoch && node === applied.node && life === applied.life) return null;
  return `node ${node} writes under claim ${epoch}, and claim ${applied.epoch} is node ${applied.node}'s`;
}
