// In place of src/core/uas/transaction-sizes.ts: room for the answers of a small batch, made in no time, and tables that grow.

export const ANSWER_BYTES_MIN = 1 << 18;
export const KEPT_SHARE = 1 / 3;
export const answerRingBytes = (answerBytes: number) => Math.max(answerBytes, ANSWER_BYTES_MIN) * 1.5;
export const TRANSACTIONS_AT_FIRST = 32;
export const INVITES_MAX = 16;
