// Whether a process is there, by its number: for files that say who made them.

/** A number is used again by later processes: true may be said of another one. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
