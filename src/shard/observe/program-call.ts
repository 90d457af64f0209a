// Calls of a program's functions whose results Aorta ignores.

/** Calls one; `failed` gets its error or rejection. */
export function callProgram(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(failed);
  } catch (error) {
    failed(error);
  }
}
