// Description of the read model, for its readers.

import { OLDEST_VERSION, RECORD_VERSION } from '../record.ts';

/** Raised when the content of an environment changes its form, and with the version of records. 1: records of version 2. */
export const SHARED_FORMAT = RECORD_VERSION - 1;
/** Oldest format that can still be read. */
export const OLDEST_SHARED_FORMAT = OLDEST_VERSION - 1;

/** Data that a reader needs besides the records, as JSON under ABOUT_KEY. */
export interface AboutLocation {
  readonly format: number;
  /** Keys of the hashes and of GRUUs: the data directory's secret, base64. */
  readonly secret: string;
  readonly gruu: 'on' | 'off';
  readonly gruuGeneration: number;
  readonly domains: readonly string[];
  /** Numbers of PBXs, by AOR. */
  readonly bulkNumbers?: Readonly<Record<string, readonly string[]>>;
}
