// Why a file cannot be read or written, in words.

const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'a directory, not a file',
  ENOTDIR: 'no such file: a part of its path is no directory',
  EEXIST: 'there already',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  ELOOP: 'a loop of symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** @param error of the file system; any other is told by its message */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return `not allowed for user ${process.getuid?.() ?? 'who runs this'}`;
  return TEXTS[code ?? ''] ?? message;
}

/** What a command has to tell of an error: the file, where it is known, and the reason. */
export function errorText(error: unknown): string {
  const { path, message } = error as NodeJS.ErrnoException;
  const fault = fileFault(error);
  if (fault === message) return message;
  return path === undefined ? fault : `${path}: ${fault}`;
}
