// In place of src/location/table/chunk-size.ts: chunks of 32 rows, so that a table of a simulation grows.

export const CHUNK_SHIFT = 5;
