// Starts the thread that moves bindings and hears how far it is. Which stores, and what becomes of them, is server/'s.

import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { taskFile } from '../tasks/task-file.ts';
import type { MoveReport } from './move-bindings.ts';
import type { MoveProgress, MoveTask } from './move-task.ts';

/** Rejects with what kept the move from its end; the new stores are then to be thrown away. */
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
