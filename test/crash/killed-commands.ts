// Commands that work on a data directory beside its server, and are killed in the middle: a backup, and an import of users. What they
// leave behind must hold nobody up.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, run } from '../support/child-process.ts';

const USERS = 400;
const COMMAND_MS = 60_000;

export class KilledCommands {
  /** By what they did: how many were killed before their end. */
  readonly interrupted: Record<string, number> = {};
  private readonly folder = temporaryDirectory();
  private readonly csv = join(this.folder, 'users.csv');
  private child: Child | undefined;
  private what = '';

  constructor() {
    const rows = Array.from({ length: USERS }, (_, n) => `user${n},example.com,secret-${n}`);
    writeFileSync(this.csv, ['username,domain,password', ...rows, ''].join('\n'));
  }

  start(dice: number, data: string): void {
    this.what = dice < 0.5 ? 'a backup' : 'an import of users';
    this.child = new Child(process.execPath, [CLI, ...(dice < 0.5 ? this.backup(data) : this.import(data))]);
    this.child.process.stdin?.end();
  }

  /** Ends the one under way, if it has not ended. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined) return;
    if (child.exit === undefined) this.interrupted[this.what] = (this.interrupted[this.what] ?? 0) + 1;
    child.killTree();
    await child.exited;
  }

  /** Both come to their end now, whatever was left half done. */
  async check(data: string): Promise<void> {
    for (const args of [this.import(data), this.backup(data)]) {
      const { exit, output } = await run(process.execPath, [CLI, ...args], COMMAND_MS).then((child) => ({
        exit: child.exit,
        output: child.output(),
      }));
      if (exit.code !== 0) throw new Error(`aorta ${args[0]} after kills: ${output}`);
    }
    const to = join(this.folder, 'restored');
    const restored = await run(process.execPath, [CLI, 'restore', this.copy, '--data', to], COMMAND_MS);
    if (restored.exit.code !== 0) throw new Error(`aorta restore after kills: ${restored.output()}`);
  }

  private get copy(): string {
    return join(this.folder, 'copy');
  }

  /** What a killed one left is no copy, so it goes. */
  private backup(data: string): string[] {
    if (existsSync(this.copy)) rmSync(this.copy, { recursive: true });
    return ['backup', this.copy, '--data', data];
  }

  private import(data: string): string[] {
    return ['user', 'import', this.csv, '--data', data];
  }
}
