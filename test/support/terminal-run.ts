// A command on a terminal, which `script` (util-linux) gives it: what it writes there, and keys.

import { type ChildProcess, spawn } from 'node:child_process';
import { CLI } from './aorta-process.ts';
import { poll } from './child-process.ts';

const WAIT_MS = 15_000;

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export class TerminalRun {
  /** All that it has written. */
  output = '';
  private readonly child: ChildProcess;
  private readonly exit: Promise<number>;

  constructor(words: readonly string[], { columns, rows, environment }: TerminalOptions) {
    const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
    const command = [process.execPath, CLI, ...words].map((word) => `'${word}'`).join(' ');
    this.child = spawn(
      'script',
      [
        '--quiet',
        '--flush',
        '--return',
        '--command',
        `stty rows ${rows} cols ${columns}; exec ${command}`,
        '/dev/null',
      ],
      { env: { ...inherited, TERM: 'xterm-256color', ...environment } },
    );
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.exit = new Promise((resolve) => this.child.once('exit', (code) => resolve(code ?? -1)));
  }

  type(keys: string): void {
    this.child.stdin?.write(keys);
  }

  async until(pattern: RegExp): Promise<void> {
    await poll(`${pattern} on the terminal`, WAIT_MS, () => pattern.test(this.output)).catch((error: Error) => {
      this.child.kill();
      throw new Error(`${error.message}\n${this.output}`);
    });
  }

  /** Exit code. */
  ended(): Promise<number> {
    return this.exit;
  }
}
