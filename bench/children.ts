// Servers that are measured end with the bench, however that ends.

import type { ChildProcess } from 'node:child_process';

const running = new Set<ChildProcess>();

/** Kills all that run now. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL');
}

process.on('exit', killChildren);

/** The same child; killed where this process ends before it. */
export function tied<T extends ChildProcess>(child: T): T {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
