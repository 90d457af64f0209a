// Equivalents of Kamailio's and OpenSIPS's parameters: a key of the configuration file with its value, or the reason why there is
// none. One row per parameter; docs/migration.md has them as a table, and a test compares both.

import { REGISTRAR, USRLOC } from './location-parameters.ts';
import type { ForeignParameter } from './parameter.ts';
import { AUTH, TRANSPORTS } from './server-parameters.ts';

export const FOREIGN_PARAMETERS: readonly ForeignParameter[] = [...REGISTRAR, ...USRLOC, ...AUTH, ...TRANSPORTS];
