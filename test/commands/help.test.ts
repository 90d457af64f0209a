// The help of every command fits a terminal of 80 columns, and shows the command's own examples.

import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { program } from '../../src/commands/program.ts';

/** Every command below, with what its help prints. */
function helps(command: Command, path = ''): [string, string][] {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return [[path, text], ...command.commands.flatMap((one) => helps(one, `${path} ${one.name()}`.trim()))];
}

const all = helps(await program(['help']));
const helpOf = (path: string) => all.find(([name]) => name === path)?.[1] ?? '';

it('fits 80 columns', () => {
  expect(all.length).toBeGreaterThan(50);
  const wide = all.flatMap(([path, text]) =>
    text.split('\n').flatMap((line) => (line.length > 80 ? [`${path}: ${line}`] : [])),
  );
  expect(wide).toEqual([]);
});

it('shows examples of the command itself', () => {
  expect(helpOf('user add')).toContain('aorta user add pbx@example.com');
  expect(helpOf('user add')).not.toContain('aorta user export');
  expect(helpOf('user')).toContain('aorta user export');
  expect(helpOf('ul lookup')).toContain('  aorta ul lookup alice@example.com\n');
  expect(helpOf('ul lookup')).not.toContain('ul dump');
  for (const [path, text] of all)
    for (const [line] of text.matchAll(/^ {2}aorta .*$/gm))
      if (path.includes(' ')) expect(line, path).toMatch(new RegExp(`aorta ${path}\\b`));
});
