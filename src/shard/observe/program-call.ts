// Functions of a program that Aorta calls and expects nothing of.

/** Calls one. What it throws, or rejects with, is told to `failed`. */
export function callProgram(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(failed);
  } catch (error) {
    failed(error);
  }
}
