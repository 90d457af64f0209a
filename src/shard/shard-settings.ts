// A shard's options that may change while it runs.

import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import type { Policy } from '../core/uas/policy.ts';
import type { GateOptions } from './gate.ts';

export interface ShardSettings {
  readonly policy: Policy;
  /** Where clients authenticate. */
  readonly auth?: { readonly policy: AuthPolicy; readonly generation: number; readonly realms: readonly string[] };
  readonly gate?: GateOptions;
}
