// Starts the thread that moves bindings, and hears its progress. server/ chooses the stores and their fate.

import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { taskFile } from '../tasks/task-file.ts';
import type { MoveReport } from './move-bindings.ts';
import type { MoveProgress, MoveTask } from './move-task.ts';

/** Rejects with the error that stopped the move; the new stores are then to be deleted. */
export async function moveStores(task: MoveTask, progress: (report: MoveProgress) => void): Promise<MoveReport> {
  const { port1, port2 } = new MessageChannel();
  const piscina = new Piscina({
    filename: taskFile('move-task'),
    name: 'runMoveTask',
    maxThreads: 1,
    atomics: 'disabled',
  });
  try {
    port1.on('message', progress);
    return await piscina.run({ ...task, port: port2 }, { transferList: [port2] });
  } finally {
    port1.close();
    await piscina.destroy();
  }
}
