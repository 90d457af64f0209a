// The part `drain` of the configuration: how a server stops.

export interface DrainConfig {
  /** Seconds for which a server that is told to stop is served as ever while /readyz answers 503, so that load balancers look away first. */
  readonly announceS: number;
  /** Seconds that finishing, committing, answering and closing may take after that; then the process ends all the same. */
  readonly limitS: number;
}

export const DEFAULT_DRAIN: DrainConfig = { announceS: 0, limitS: 10 };
