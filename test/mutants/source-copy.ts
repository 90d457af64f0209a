// A copy of the sources in which one fault at a time is put, so that the checkout stays as it is.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COPIED = ['src', 'test', 'docs', 'bench', 'scripts', 'dist', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

/** A fault, and what looks for it. */
export interface Trial {
  /** As it is told. */
  readonly name: string;
  readonly file: string;
  /** Makes the faulty text of the sound one. */
  readonly change: (sound: string) => string;
  /** How it was found; undefined where it was not. */
  readonly find: (copy: string) => Promise<string | undefined>;
}

/** Puts `to` in the place of `from`. @throws where that does not stand there exactly once */
export const replacing =
  (from: string, to: string): Trial['change'] =>
  (sound) => {
    if (sound.split(from).length !== 2) throw new Error(`"${from}" does not stand there exactly once`);
    return sound.replace(from, () => to);
  };

export class SourceCopy {
  readonly path = mkdtempSync(join(tmpdir(), 'aorta-mutants-'));

  constructor() {
    for (const name of COPIED) cpSync(name, join(this.path, name), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules'), join(this.path, 'node_modules'));
  }

  /** Puts each fault in, and tells of it when its search has ended. @returns names of those that were not found */
  async tryEach(trials: readonly Trial[]): Promise<string[]> {
    const left: string[] = [];
    for (const trial of trials) {
      const how = await this.findWith(trial);
      process.stdout.write(how === undefined ? `| LEFT | ${trial.name} | |\n` : `| found | ${trial.name} | ${how} |\n`);
      if (how === undefined) left.push(trial.name);
    }
    return left;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  private async findWith({ file, change, find }: Trial): Promise<string | undefined> {
    const path = join(this.path, file);
    const sound = readFileSync(path, 'utf8');
    writeFileSync(path, change(sound));
    try {
      return await find(this.path);
    } finally {
      writeFileSync(path, sound);
    }
  }
}
