// What the doors for lookups by HTTP have in common: what they are to whoever opened them, their limits, who may ask.

import type { HttpAddress } from '../config/sections/lookup-config.ts';
import type { Access, AccessHeaders } from '../http/http-access.ts';
import { Problem } from '../http/problem.ts';
import { type LookupAnswer, refusal } from './lookup-routes.ts';

export interface LookupHttp {
  /** With the port it got. */
  readonly address: HttpAddress;
  close(): Promise<void>;
}

export const CONNECTIONS_MAX = 1024;

/** What a request draws that may not be answered; undefined where it may. */
export function refusalBy(access: Access, headers: AccessHeaders): LookupAnswer | undefined {
  try {
    access({ headers });
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return refusal(error.status, error.code, error.message);
  }
}

/** What `answer` gives, or that it failed: an error that leaves a listener's handler would end the process. */
export function answered<T>(answer: () => T): T | LookupAnswer {
  try {
    return answer();
  } catch {
    return refusal(500, 'internal', 'the request could not be answered');
  }
}

/** Besides its length. */
export function headersOf({ status, type, allow }: LookupAnswer): readonly (readonly [string, string])[] {
  return [
    ['content-type', type],
    ['cache-control', 'no-store'],
    ...(status === 401 ? [['www-authenticate', 'Bearer realm="aorta"'] as const] : []),
    ...(allow === undefined ? [] : [['allow', allow] as const]),
  ];
}
