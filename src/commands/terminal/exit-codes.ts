// The codes that commands exit with (README).

export const EXIT_OK = 0;
/** Could not be done. */
export const EXIT_FAILED = 1;
/** Flags, words or the configuration are wrong. */
export const EXIT_USAGE = 2;
