// All output of commands to a terminal. Text from phones, files and servers cannot move the cursor, colour, rename the window or turn
// the direction of writing. Such characters are written as `\u001b`, which in JSON is the same text.

import { escapeUnseen } from '../../sip/shown-text.ts';

/** Text with its line ends and tabs; all other invisible characters are escaped. */
function terminalText(text: string): string {
  return text
    .split('\n')
    .map((line) => line.split('\t').map(escapeUnseen).join('\t'))
    .join('\n');
}

/** Prints to stdout; false where its reader is slow. */
export function print(text: string): boolean {
  return process.stdout.write(terminalText(text));
}

/** Prints to stderr. */
export function printError(text: string): void {
  process.stderr.write(terminalText(text));
}

/** Prints text with colours of our own to stderr; foreign parts of it are escaped already. */
export function printStyled(text: string): void {
  process.stderr.write(text);
}

/** Prints the content of a file to stdout, unchanged; escaped only where stdout is a terminal. False where its reader is slow. */
export function printFile(text: string): boolean {
  return process.stdout.isTTY ? print(text) : process.stdout.write(text);
}
