// Results of a command's action on a terminal: errors in words, exit codes, and output without a reader.

import { printError } from '../../server/process/terminal.ts';
import { EXIT_FAILED } from './exit-codes.ts';

/** A failure, as a sentence for the user of the command. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a command, prints its error and sets the exit code. */
export function reported<A extends unknown[]>(action: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      printError(`aorta: ${error.message}\n`);
      process.exitCode = error.exitCode;
    }
  };
}

/** An action whose code is loaded when it runs, so that help and errors in flags do not wait for it. */
export function later<A extends unknown[]>(
  load: () => Promise<(...args: A) => Promise<void> | void>,
): (...args: A) => Promise<void> {
  return async (...args) => (await load())(...args);
}

/**
 * A reader may close the output (`aorta ul dump head`): the command ends quietly. Its effects come before its output. On
 * stderr, where progress is shown, nothing is lost.
 */
export function endWithReader(): void {
  const quietly = (then: () => void) => (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return then();
    printError(`aorta: the output cannot be written: ${error.message}\n`);
    process.exit(EXIT_FAILED);
  };
  process.stdout.on(
    'error',
    quietly(() => process.exit()),
  );
  process.stderr.on(
    'error',
    quietly(() => {}),
  );
}
