// A Config in the form of the configuration file, without secrets: it shows people the values in force.

import { type Config, DEFAULT_CONFIG } from './config.ts';
import { CONFIG_ROWS } from './rows/all-rows.ts';
import { showRows } from './rows/fill.ts';

export function effectiveConfig(config: Config): Record<string, unknown> {
  return showRows(CONFIG_ROWS, config, DEFAULT_CONFIG);
}
