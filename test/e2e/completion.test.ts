// What `aorta completion` prints, in the shells that it is for: what they offer behind the words that somebody has typed.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** The script for a shell, in a file of this name. */
async function script(shell: string, name: string): Promise<string> {
  const { stdout, exit, stderr } = await run(process.execPath, [CLI, 'completion', shell], 20_000);
  expect([exit.code, stderr]).toEqual([0, '']);
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, stdout);
  return file;
}

/** What a shell prints; fails where it has anything to complain about. */
async function offered(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  const { stdout, stderr } = await run(command, args, 30_000, { cwd: temporaryDirectory(), env });
  expect(stderr).toBe('');
  return stdout.split(/\s+/).filter((word) => word !== '');
}

/** What is typed, and of what is offered: something that must be there, and something that must not. */
const CASES: readonly (readonly [line: string, there: readonly string[], not: readonly string[]])[] = [
  ['aorta ', ['serve', 'ul', 'completion'], ['lookup', '--admin']],
  ['aorta re', ['reload'], ['serve']],
  ['aorta ul ', ['dump', 'lookup', 'history', 'rm-contact'], ['serve', 'passwd']],
  ['aorta user ', ['passwd', 'import'], ['dump']],
  ['aorta ul dump --', ['--domain', '--json'], ['--listen']],
  ['aorta user add --', ['--aor', '--data'], ['--json', '--expires']],
  ['aorta serve --log', ['--log-level'], ['--domain']],
];

function expectOffered(line: string, found: readonly string[]): void {
  const [, there, not] = CASES.find(([typed]) => typed === line) ?? [line, [], []];
  expect(found, line).toEqual(expect.arrayContaining([...there]));
  for (const word of not) expect(found, line).not.toContain(word);
}

describe('completion', () => {
  it('works in bash', async () => {
    const file = await script('bash', 'aorta.bash');
    for (const [line] of CASES) {
      const words = line.split(' ');
      const typed = `source '${file}'; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
      expectOffered(line, await offered('bash', ['-c', `${typed}; _aorta; echo "\${COMPREPLY[@]}"`]));
    }
  });

  it.skipIf(peerMissing('fish'))('works in fish', async () => {
    const file = await script('fish', 'aorta.fish');
    const home = { HOME: temporaryDirectory(), XDG_CONFIG_HOME: temporaryDirectory() };
    for (const [line] of CASES)
      expectOffered(line, await offered('fish', ['-N', '-c', `source '${file}'; complete -C '${line}'`], home));
  });

  it.skipIf(peerMissing('zsh'))('works in zsh, from the first time on', async () => {
    const file = await script('zsh', '_aorta');
    // What compadd would add, said instead of shown: a line editor wants a terminal.
    const said =
      'compadd() { [ "$1" = -- ] && shift; local w; for w in "$@"; do [[ $w == $PREFIX* ]] && print -r -- $w; done; return 0 }';
    for (const [line] of CASES) {
      const words = line.split(' ');
      const typed = `words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; PREFIX='${words.at(-1)}'`;
      const code = `fpath=('${file.replace(/\/_aorta$/, '')}' $fpath); autoload -U compinit; compinit -D -u; ${said}; ${typed}; _aorta`;
      expectOffered(line, await offered('zsh', ['-f', '-c', code]));
    }
  });
});
