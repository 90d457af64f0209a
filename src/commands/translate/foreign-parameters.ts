// What parameters of Kamailio and OpenSIPS are here: a key of the configuration file with its value, or why there is none. One row a
// parameter; docs/migration.md has them as a table, and a test holds it to them.

import { REGISTRAR, USRLOC } from './location-parameters.ts';
import type { ForeignParameter } from './parameter.ts';
import { AUTH, TRANSPORTS } from './server-parameters.ts';

export const FOREIGN_PARAMETERS: readonly ForeignParameter[] = [...REGISTRAR, ...USRLOC, ...AUTH, ...TRANSPORTS];
