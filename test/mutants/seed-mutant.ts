// A fault for the simulated worlds.

/** As `npm run simulate -- --only` has them. */
export type World = 'store' | 'shards' | 'registrations' | 'cluster';

export interface SeedMutant {
  readonly what: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** One after the other, until one finds it. */
  readonly worlds: readonly World[];
}

export const inFile =
  (file: string, worlds: readonly World[]) =>
  (what: string, from: string, to: string): SeedMutant => ({ what, file: `src/${file}`, from, to, worlds });
