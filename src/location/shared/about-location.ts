// Description of the read model, for its readers.

/** Raised when what lies in an environment changes. 1: records of version 2; 2: of version 3. */
export const SHARED_FORMAT = 2;
/** Of an environment that is still read. */
export const OLDEST_SHARED_FORMAT = 1;

/** What a reader needs besides the records, as JSON under ABOUT_KEY. */
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
