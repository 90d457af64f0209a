// Reasons why a file cannot be read or written, as texts.

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

/** @param error of the file system; for any other its message is returned */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return `not allowed for user ${process.getuid?.() ?? 'who runs this'}`;
  return TEXTS[code ?? ''] ?? message;
}

/** A command's text for an error: the file, where it is known, and the reason. */
export function errorText(error: unknown): string {
  const { path, message } = error as NodeJS.ErrnoException;
  const fault = fileFault(error);
  if (fault === message) return message;
  return path === undefined ? fault : `${path}: ${fault}`;
}
