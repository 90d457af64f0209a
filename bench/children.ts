// Servers that are measured end with the bench, however that ends.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const running = new Set<ChildProcess>();

/** Kills all that run now, and waits for their ends: only then are their ports and directories free. */
export async function endChildren(): Promise<void> {
  const ends = [...running].map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ends);
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The same child; killed where this process ends before it. */
export function tied<T extends ChildProcess>(child: T): T {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
