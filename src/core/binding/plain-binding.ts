// An AOR's only binding without its record: the fields that a refresh compares and changes.

/** The only binding of an AOR, without its texts. The registrar changes it in place. */
export interface PlainBinding {
  /** Keyed hash of the part that a refresh does not change (identity.ts); zeros: not known. */
  identityHigh: number;
  identityLow: number;
  /** Epoch ms. */
  expiresAt: number;
  /** The interval last granted, seconds: its last refresh was that long before its expiry. */
  grantedS: number;
  cseq: number;
  /** Shared by the temporary GRUUs of its instance (gruu.ts); 0 without one. */
  epoch: number;
  /** The nonce that authenticated the last request (nonceIdOf), and the highest nc; zeros without one. */
  nonceId: number;
  highestNc: number;
}
