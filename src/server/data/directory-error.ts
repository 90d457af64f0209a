// Errors of data directories, with messages that name the remedy.

export type DataDirectoryProblem = 'locked' | 'newer' | 'damaged' | 'mismatch' | 'unwritable' | 'move';

/** The message names the remedy. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  readonly kind: DataDirectoryProblem;

  constructor(kind: DataDirectoryProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** The error for a file of the data directory that cannot be written. */
export function unwritable(directory: string, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    'unwritable',
    `cannot write to the data directory ${directory} (${reason}): make it writable for this user, free some space, ` +
      'or start with another --data',
    error,
  );
}
