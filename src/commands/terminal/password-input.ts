// A password from a person: typed twice and hidden on a terminal, else one line of standard input. Never from the command
// line, where `ps` and the shell's history would show it.

import type { ReadStream } from 'node:tty';
import { printError } from '../../server/process/terminal.ts';

/** There is no usable password. The message has the reason and the remedy. */
export class PasswordError extends Error {
  override readonly name = 'PasswordError';
}

const LINE_BYTES_MAX = 1024;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';

/** @param user named in the prompt */
export async function readPassword(user: string, input: ReadStream = process.stdin): Promise<string> {
  if (!input.isTTY) return checked(await firstLine(input));
  const password = checked(await prompt(input, `Password for ${user}: `));
  const again = await prompt(input, 'The same again: ');
  if (again !== password) throw new PasswordError('the two passwords differ; nothing was changed');
  return password;
}

function checked(password: string): string {
  if (password === '')
    throw new PasswordError('the password is empty: type one, or give it as one line on standard input');
  return password;
}

async function firstLine(input: ReadStream): Promise<string> {
  let text = '';
  for await (const chunk of input.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('\n') || text.length > LINE_BYTES_MAX) break;
  }
  const line = text.split('\n')[0].replace(/\r$/, '');
  if (line.length > LINE_BYTES_MAX) throw new PasswordError(`the password is longer than ${LINE_BYTES_MAX} characters`);
  return line;
}

/** Reads one line with the echo off. Ctrl-C cancels. */
function prompt(input: ReadStream, question: string): Promise<string> {
  input.setRawMode(true).setEncoding('utf8').resume(); // before the question: the user may type at once
  printError(question);
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const done = (settle: () => void) => {
      input.off('data', hear);
      input.setRawMode(false).pause();
      printError('\n');
      settle();
    };
    const hear = (text: string | Buffer) => {
      const characters = [...text.toString()];
      for (const [i, character] of characters.entries()) {
        if (character === '\r' || character === '\n') {
          const rest = characters.slice(i + 1).join('');
          done(() => resolve(line.join('')));
          if (rest !== '') input.unshift(rest);
          return;
        }
        if (character === CTRL_C || character === CTRL_D) {
          return done(() => reject(new PasswordError('no password given; nothing was changed')));
        }
        if (character === '\u007f' || character === '\b') line.pop();
        else if (character === CTRL_U) line = [];
        else line.push(character);
      }
    };
    input.on('data', hear);
  });
}
