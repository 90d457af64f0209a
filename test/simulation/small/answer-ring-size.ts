// In place of src/core/uas/answer-ring-size.ts: room for the answers of a small batch, made in no time.

export const ANSWER_RING_BYTES_MIN = 1 << 18;
