// How the clients of a run log in: what that means for the generator, for Aorta and for Kamailio, and Aorta's users for it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const DOMAIN = 'bench.example.org';

const MODES = {
  none: 'no authentication',
  reuse: 'nonce reused',
  fresh: 'a 401 every time',
  challenge: 'a 401 and nothing more',
} as const;
const ALGORITHMS = { md5: 'MD5', 'sha-256': 'SHA-256' } as const;

type Mode = keyof typeof MODES;
type Algorithm = keyof typeof ALGORITHMS;

export interface Login {
  readonly mode: Mode;
  readonly algorithm: Algorithm;
  readonly title: string;
  /** What its figures are per: a 200, or a 401. */
  readonly isPerChallenge: boolean;
}

/** Every mode with every algorithm; each once where no client answers a challenge. Throws where a word is unknown. */
export function logins(modes: readonly string[], algorithms: readonly string[]): Login[] {
  const wanted = modes.map((mode) => wordOf(MODES, mode, '--auth'));
  const names = algorithms.map((name) => wordOf(ALGORITHMS, name, '--algorithm'));
  return wanted.flatMap((mode) => (mode === 'none' ? names.slice(0, 1) : names).map((name) => login(mode, name)));
}

function login(mode: Mode, algorithm: Algorithm): Login {
  const title = mode === 'none' ? MODES.none : `${MODES[mode]}, ${ALGORITHMS[algorithm]}`;
  return { mode, algorithm, title, isPerChallenge: mode === 'challenge' };
}

function wordOf<T extends string>(words: Readonly<Record<T, string>>, word: string, flag: string): T {
  const found = (Object.keys(words) as T[]).find((name) => name === word);
  if (found === undefined) throw new Error(`${flag}: "${word}" is none of ${Object.keys(words).join(', ')}`);
  return found;
}

/** The phases and how the generator answers challenges; with `challenge` it does not. */
export function generatorFlags({ mode }: Login): string[] {
  if (mode === 'challenge') return ['--refresh'];
  const phases = ['--register-once', '--refresh'];
  return mode === 'none' ? phases : [...phases, '--auth', '--nonce', mode];
}

export function kamailioFlags({ mode, algorithm }: Login): string[] {
  if (mode === 'none') return [];
  return algorithm === 'md5' ? ['-A', 'WITH_AUTH'] : ['-A', 'WITH_AUTH', '-A', 'WITH_SHA256'];
}

/** @param directory where a configuration file may be written */
export function aortaFlags({ mode, algorithm }: Login, directory: string): string[] {
  if (mode === 'none') return [];
  const file = join(directory, 'bench.yaml');
  writeFileSync(file, `auth:\n  mode: digest\n  algorithms: [${ALGORITHMS[algorithm]}]\n`);
  return ['--config', file];
}

/** A data directory below `directory` with the generator's users, made by `aorta user import`; to be removed by the caller. */
export function makeUsers(node: string, cli: string, count: number, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const data = mkdtempSync(join(directory, 'aorta-users-'));
  const digits = Math.max(6, String(count).length);
  const rows = Array.from({ length: count }, (_, i) => {
    const user = `user${String(i + 1).padStart(digits, '0')}`;
    return `${user},${DOMAIN},pw${user}\n`;
  });
  const file = join(data, 'users.csv');
  writeFileSync(file, `username,domain,password\n${rows.join('')}`);
  const run = spawnSync(node, [cli, 'user', 'import', file, '--data', data], { encoding: 'utf8' });
  rmSync(file);
  if (run.status === 0) return data;
  rmSync(data, { recursive: true, force: true });
  throw new Error(`users cannot be imported: ${run.stderr || run.error}`);
}
