// Numbers for lives of shards: greater than all before in this data directory, whatever became of clock and file.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataDirectoryError } from '../../../src/server/data/directory-error.ts';
import { openLifeNumbers } from '../../../src/server/data/life-numbers.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

afterAll(removeDirectories);

describe('numbers of lives', () => {
  it('only grow, from shard to shard and from start to start', () => {
    const data = temporaryDirectory();
    const numbers = [1, 2, 3].flatMap(() => {
      const next = openLifeNumbers(data, () => {});
      return Array.from({ length: 1500 }, () => next());
    });
    for (const [i, number] of numbers.slice(1).entries()) expect(number).toBeGreaterThan(numbers[i]);
  });

  it('go on from the file where the clock is behind it, and from the clock where the file is behind or gone', () => {
    const data = temporaryDirectory();
    const seconds = Math.floor(Date.now() / 1000);
    openLifeNumbers(data, () => {})();
    const file = join(data, 'lives');
    expect(JSON.parse(readFileSync(file, 'utf8')).reserved).toBeGreaterThan(seconds);
    writeFileSync(file, `${seconds + 1e6}\n`);
    expect(openLifeNumbers(data, () => {})()).toBe(seconds + 1e6);
    for (const text of ['12\n', '', 'NaN', '-5', '9'.repeat(40)]) {
      writeFileSync(file, text);
      expect(openLifeNumbers(data, () => {})()).toBeGreaterThanOrEqual(seconds);
    }
  });

  it('that can be read nowhere stop a start, with advice', () => {
    const data = temporaryDirectory();
    for (const name of ['lives', 'lives.copy']) writeFileSync(join(data, name), '{');
    expect(() => openLifeNumbers(data, () => {})).toThrow(/lives.copy.*restore .*lives/);
  });

  it('are not given out where the file cannot be written', () => {
    expect(() => openLifeNumbers(join(temporaryDirectory(), 'missing'), () => {})).toThrow(DataDirectoryError);
  });
});
