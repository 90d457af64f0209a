// Collects all garbage of this thread once. V8 does so by itself when its heap has grown, or when a thread's event loop is idle. A
// shard's thread has no event loop, so that a rehearsal's garbage would stay for good.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
