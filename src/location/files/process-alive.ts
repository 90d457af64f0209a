// Checks whether a process exists, by its number: for files that name the process that made them.

/** Numbers are reused: true may mean a later process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
