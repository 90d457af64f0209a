// A question that the bench answers: a name to ask it by, and tables.

import type { Bar } from './chart.ts';
import type { Settings } from './settings.ts';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** A sentence below the table. */
  readonly note?: string | undefined;
  /** Ratios to Kamailio in the same run, for the chart. */
  readonly bars?: readonly Bar[] | undefined;
  /** Every single figure, for --json. */
  readonly data?: unknown;
}

/**
 * How --against is answered: `rounds` runs both builds in turn within each round, `twice` asks once of each build, `no` measures
 * code of this tree that no other build has.
 */
export type Against = 'rounds' | 'twice' | 'no';

export interface Question {
  readonly name: string;
  /** One line for --list. */
  readonly asks: string;
  readonly against: Against;
  run(settings: Settings): Promise<readonly Table[]>;
}

/** Something that a question needs and this machine does not have: a row says so, and the run is no failure. */
export class Missing extends Error {}
