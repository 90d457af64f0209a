// The section `drain` of the configuration: how a server goes down.

import { z } from 'zod';
import { seconds, section } from '../config-values.ts';

export interface DrainConfig {
  /** Seconds for which a server that is told to stop is served as ever while /readyz says 503, so that load balancers look away first. */
  readonly announceS: number;
  /** Seconds that finishing, committing, answering and closing may take after that; then the process ends all the same. */
  readonly limitS: number;
}

export const DEFAULT_DRAIN: DrainConfig = { announceS: 0, limitS: 10 };

const schema = z.strictObject(
  { 'announce-s': seconds(0, 3600).optional(), 'limit-s': seconds(1, 3600).optional() },
  section,
);

export const drainSchema = schema;
export function fillDrain(raw: z.output<typeof schema>): DrainConfig {
  return {
    announceS: raw['announce-s'] ?? DEFAULT_DRAIN.announceS,
    limitS: raw['limit-s'] ?? DEFAULT_DRAIN.limitS,
  };
}
