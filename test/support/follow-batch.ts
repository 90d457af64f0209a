// A batch that comes to a store by a stream, as in a cluster.

import { FollowedFrame } from '../../src/location/log/followed-frame.ts';
import { FrameWriter } from '../../src/location/log/frame-writer.ts';
import { NO_PREVIOUS } from '../../src/location/log/log-frame.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import type { WriteSet } from '../../src/location/write-set.ts';

/** The store applies the batch as the message behind the last one that it has applied. */
export function followBatch(store: LogStore, writes: WriteSet, time = 1): void {
  const sequence = (store.applied()?.sequence ?? 0) + 1;
  const frame = new FrameWriter();
  frame.start();
  store.encodeInto(frame, writes);
  frame.seal(sequence * 8, NO_PREVIOUS, time);
  const followed = new FollowedFrame();
  followed.take(frame.bytes, new Uint32Array(frame.bytes.buffer), frame.length);
  store.follow(followed, { sequence, epoch: 1, node: 1, life: 1, sum: frame.checksum, time });
}
