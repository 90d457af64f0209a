// The thread that moves bindings: opens both sides, moves, closes. Its own thread, so that the main one can show how far
// it is and hear signals.

import type { MessagePort } from 'node:worker_threads';
import type { LocationStore } from '../location/location-store.ts';
import { type MoveReport, moveBindings } from './move-bindings.ts';
import { openStore, type StoreOptions } from './open-store.ts';

export interface MoveTask {
  readonly from: readonly StoreOptions[];
  readonly to: readonly StoreOptions[];
  /** Gets MoveProgress. */
  readonly port: MessagePort;
}

export interface MoveProgress {
  readonly done: number;
  readonly total: number;
}

/** Moves; what it returns is on disk. */
export function runMoveTask({ from, to, port }: MoveTask): MoveReport {
  const open: LocationStore[] = [];
  const openAll = (all: readonly StoreOptions[]) =>
    all.map((options) => {
      const store = openStore(options);
      open.push(store);
      return store;
    });
  try {
    const sources = openAll(from);
    const total = sources.reduce((sum, store) => sum + store.count(), 0);
    const tell = (done: number) => port.postMessage({ done, total } satisfies MoveProgress);
    tell(0);
    return moveBindings(sources, openAll(to), tell);
  } finally {
    for (const store of open) store.close();
  }
}
