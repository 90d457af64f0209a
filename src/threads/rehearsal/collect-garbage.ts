// One collection of all garbage of this thread. V8 makes one by itself when its heap has grown, or when a thread's event loop is idle; a
// shard's thread has none, so that what a rehearsal leaves would stay for good.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
