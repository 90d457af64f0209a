// What is known of an AOR's only binding without its record: what a refresh compares, and what it changes.

/** The only binding of an AOR, without its texts. The registrar changes it in place. */
export interface PlainBinding {
  /** Keyed hash of all that a refresh leaves as it was; zeros: not known. */
  identityHigh: number;
  identityLow: number;
  /** Epoch ms. */
  expiresAt: number;
  /** The interval last granted, seconds: it was refreshed that long before it ends. */
  grantedS: number;
  cseq: number;
  /** What the temporary GRUUs of its instance share (gruu.ts); 0 without one. */
  epoch: number;
  /** The nonce that the last request was authenticated with (nonceIdOf), and the highest nc; zeros without one. */
  nonceId: number;
  highestNc: number;
}
