// The data directory without a flag: AORTA_DATA of the environment; else ./data; else, for commands beside a packaged service, the
// directory of its unit. One rule for all commands (docs/operating.md, command line).

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type ConfigSource, spellAsFile } from '../../server/config/config-problem.ts';
import { DEFAULT_DATA } from '../../server/config/defaults.ts';

/** Directory of the Debian package, the unit and the images. */
const SERVICE_DATA = '/var/lib/aorta';

export function defaultData(): string {
  const named = process.env.AORTA_DATA;
  if (named) return named;
  return !existsSync(DEFAULT_DATA) && existsSync(SERVICE_DATA) ? SERVICE_DATA : DEFAULT_DATA;
}

export function withDataOption(command: Command): Command {
  return command.option('--data <dir>', 'data directory', defaultData());
}

/** For servers: the file and the flags override it. */
export function environmentSource(): ConfigSource {
  const named = process.env.AORTA_DATA;
  return {
    values: named ? { data: named } : {},
    where: () => ({ name: 'AORTA_DATA', order: 0 }),
    spell: spellAsFile,
  };
}
