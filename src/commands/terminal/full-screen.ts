// A whole terminal for a command: the alternate screen, keys as they are pressed, and the former terminal afterwards, however the
// command ends.

import { StringDecoder } from 'node:string_decoder';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';

/** Names of keys' escape sequences; other keys are their character. */
const KEYS: Readonly<Record<string, string>> = {
  '\u001b[A': 'up',
  '\u001b[B': 'down',
  '\u001b[5~': 'page up',
  '\u001b[6~': 'page down',
  '\u001b[F': 'end',
  '\u001b[4~': 'end',
  '\u001b[Z': 'back tab',
  '\u001b': 'escape',
  '\t': 'tab',
  '\r': 'enter',
  '\n': 'enter',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'interrupt',
};
const KEY = /\u001b(?:\[[0-9;]*[A-Za-z~])?|[\s\S]/gu;

export interface FullScreen {
  readonly columns: number;
  readonly rows: number;
  /** Shows these lines from the top; each must fit, and so must all of them. */
  draw(lines: readonly string[]): void;
  leave(): void;
}

/** Undefined where stdin and stdout are no terminal. @param key gets each key @param resized is called after a change of size */
export function openFullScreen(key: (name: string) => void, resized: () => void): FullScreen | undefined {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return undefined;
  const decoder = new StringDecoder();
  const typed = (bytes: Buffer) => {
    for (const [sequence] of decoder.write(bytes).matchAll(KEY)) key(KEYS[sequence] ?? sequence);
  };
  let isOpen = true;
  const leave = () => {
    if (!isOpen) return;
    isOpen = false;
    stdin.off('data', typed).setRawMode(false).pause();
    stdout.off('resize', resized);
    process.off('exit', leave);
    for (const signal of SIGNALS) process.off(signal, ended);
    stdout.write(LEAVE);
  };
  const ended = (signal: NodeJS.Signals) => {
    leave();
    process.kill(process.pid, signal);
  };
  stdin.setRawMode(true).on('data', typed).resume();
  stdout.on('resize', resized);
  process.on('exit', leave);
  for (const signal of SIGNALS) process.on(signal, ended);
  stdout.write(ENTER);
  return {
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    draw: (lines) => {
      if (isOpen) stdout.write(HOME + lines.map((line) => line + REST_OF_LINE).join('\r\n') + REST_OF_SCREEN);
    },
    leave,
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
