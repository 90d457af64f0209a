// Output of commands that print much.

import { print } from '../../server/process/terminal.ts';

/** Waits while the reader of the output is slow. */
export function write(text: string): Promise<void> {
  return new Promise((resolve) => {
    if (print(text)) resolve();
    else process.stdout.once('drain', resolve);
  });
}
