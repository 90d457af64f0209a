// Exit codes of commands (README).

export const EXIT_OK = 0;
/** The command failed. */
export const EXIT_FAILED = 1;
/** Flags, words or the configuration are wrong. */
export const EXIT_USAGE = 2;
