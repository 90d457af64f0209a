// In place of src/location/first-sizes.ts: buffers that are made in no time, and that grow.

export const WRITES_AT_FIRST = 1 << 16;
export const FRAME_AT_FIRST = 1 << 11;
export const FLOWS_AT_FIRST = 4;
export const FRAME_ENTRIES_AT_FIRST = 8;
