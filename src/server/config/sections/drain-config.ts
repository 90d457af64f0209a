// The part `drain` of the configuration: the stop of a server.

export interface DrainConfig {
  /** Seconds of normal service after the order to stop, while /readyz answers 503, so that load balancers stop sending first. */
  readonly announceS: number;
  /** Seconds for finishing, committing, answering and closing after that; then the process ends in any case. */
  readonly limitS: number;
}

export const DEFAULT_DRAIN: DrainConfig = { announceS: 0, limitS: 10 };
