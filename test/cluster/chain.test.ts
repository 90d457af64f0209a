// What may follow upon what in a stream.

import { describe, expect, it } from 'vitest';
import { breaksChain } from '../../src/cluster/chain.ts';
import { FRAME_BATCH, FRAME_CLAIM, type FrameKind } from '../../src/cluster/stream-frame.ts';

const APPLIED = { sequence: 40, epoch: 7, node: 2, life: 3, sum: 99, time: 0 };

function frame(kind: FrameKind, epoch: number, node: number, life: number, previous = 99) {
  return { kind, epoch, node, life, previous };
}

describe('F17 the chain of frames', () => {
  it('goes on with a frame of the owner, or a claim with a greater number by anybody', () => {
    expect(breaksChain(frame(FRAME_BATCH, 7, 2, 3), APPLIED)).toBeNull();
    expect(breaksChain(frame(FRAME_CLAIM, 8, 1, 1), APPLIED)).toBeNull();
    expect(breaksChain(frame(FRAME_CLAIM, 1007, 2, 4), APPLIED)).toBeNull();
  });

  it.each([
    ['another frame before it', frame(FRAME_BATCH, 7, 2, 3, 98)],
    ['a claim behind another frame', frame(FRAME_CLAIM, 8, 1, 1, 98)],
    ['another node', frame(FRAME_BATCH, 7, 1, 3)],
    ['another life of the owner', frame(FRAME_BATCH, 7, 2, 4)],
    ['a claim that nobody made', frame(FRAME_BATCH, 8, 2, 3)],
    ['a claim of before', frame(FRAME_BATCH, 6, 2, 3)],
    ['the same claim again', frame(FRAME_CLAIM, 7, 2, 3)],
    ['an older claim', frame(FRAME_CLAIM, 6, 1, 1)],
  ])('breaks with %s', (_what, broken) => {
    expect(breaksChain(broken, APPLIED)).toEqual(expect.any(String));
  });
});
