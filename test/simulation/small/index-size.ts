// In place of src/location/table/index-size.ts: two sub-tables that begin with as few slots as can be.

export const SUB_BITS = 1;
export const SLOTS_MIN = 16;
