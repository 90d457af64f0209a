// Who runs under the load: Kamailio, Aorta in its durabilities (of this build, and of another one beside it), and an echo.

import { join } from 'node:path';
import { installed } from '../compile.ts';
import { root } from '../root.ts';
import type { Settings } from '../settings.ts';
import { aorta, type Contestant, echo, kamailio } from './servers.ts';

export const KAMAILIO = 'Kamailio, in memory';
export const NO_KAMAILIO = 'not installed here (Debian: kamailio)';

const NO_CONTROL = ['--durability', 'durable', '--config', join(root, 'bench/storm/no-control.yaml')];
const AORTA: Readonly<Record<string, readonly string[]>> = {
  durable: ['--durability', 'durable'],
  process: ['--durability', 'process'],
  dgram: ['--durability', 'durable', '--udp', 'dgram'],
  off: NO_CONTROL,
};
const TITLES: Readonly<Record<string, string>> = {
  durable: 'Aorta, durable',
  process: 'Aorta, process',
  dgram: 'Aorta, durable, dgram',
  off: 'Aorta, durable, storm control off',
};

export interface Field {
  readonly contestants: readonly Contestant[];
  /** Those who were asked for and are not installed, with the reason. */
  readonly missing: readonly (readonly [name: string, why: string])[];
}

/** @param words of --only */
export function field(settings: Settings, words: readonly string[]): Field {
  const missing: [string, string][] = [];
  const contestants = words.flatMap((word) => {
    if (word === 'kamailio') {
      if (installed('kamailio')) return kamailio(KAMAILIO, ['-x', 'fm', '-X', 'fm', '-A', 'CHILDREN=1']);
      missing.push([KAMAILIO, NO_KAMAILIO]);
      return [];
    }
    return word === 'echo' ? echo('an echo in C that reads nothing') : builds(settings, word);
  });
  return { contestants, missing };
}

function builds(settings: Settings, word: string): Contestant[] {
  const own = AORTA[word];
  if (own === undefined)
    throw new Error(`--only: "${word}" is none of kamailio, ${Object.keys(AORTA).join(', ')}, echo`);
  const { against, node, serveFlags, cli, base } = settings;
  const build = (name: string, program: string) => aorta(name, node, program, [...own, ...serveFlags], base);
  if (against === undefined) return [build(TITLES[word], cli)];
  return [build(`${TITLES[word]}: this`, cli), build(`${TITLES[word]}: that`, against)];
}
