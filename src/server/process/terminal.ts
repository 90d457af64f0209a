// All that commands write to a terminal. What phones, files and servers chose cannot move the cursor, colour, rename the window or turn
// the direction of writing there: such characters are written as `\u001b`, which in JSON is the same text.

import { escapeUnseen } from '../../sip/shown-text.ts';

/** Text with its line ends and tabs, all else that cannot be seen escaped. */
function terminalText(text: string): string {
  return text
    .split('\n')
    .map((line) => line.split('\t').map(escapeUnseen).join('\t'))
    .join('\n');
}

/** To stdout; false where its reader is slow. */
export function print(text: string): boolean {
  return process.stdout.write(terminalText(text));
}

/** To stderr. */
export function printError(text: string): void {
  process.stderr.write(terminalText(text));
}

/** To stderr what has colours of our own; what others chose in it is escaped already. */
export function printStyled(text: string): void {
  process.stderr.write(text);
}

/** To stdout what is for a file, as it is; for eyes only where stdout is a terminal. False where its reader is slow. */
export function printFile(text: string): boolean {
  return process.stdout.isTTY ? print(text) : process.stdout.write(text);
}
