// The help of every command fits a terminal of 80 columns, and shows the command's own examples.

import { expect, it } from 'vitest';
import { allHelps } from '../support/command-help.ts';

const all = [...(await allHelps())];
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
