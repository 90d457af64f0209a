// Errors of the HTTP listeners for programs: problem+json (RFC 9457).

import * as z from 'zod';

/** An error whose message is meant for the client. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  /** A stable word for programs, e.g. `not_found`. */
  readonly code: string;
  /** Faults by part of the request. */
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  /** Methods of the path, for a 405 (RFC 9110 §15.5.6). */
  readonly allow: string | undefined;

  constructor(status: number, code: string, detail: string, errors: Problem['errors'] = [], allow?: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // it is an answer, not a fault: its stack is never read and would be most of its cost
    super(detail);
    Error.stackTraceLimit = stackTraceLimit;
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.allow = allow;
  }
}

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('stable, for programs'),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

export const PROBLEM_TYPE = 'application/problem+json';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Token needed',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Wrong method',
  409: 'Conflict',
  413: 'Too large',
  415: 'Wrong content type',
  421: 'Another server',
  422: 'Refused',
  429: 'Too many',
  500: 'Internal error',
  503: 'Not ready',
  504: 'No answer in time',
};

export function problemBody(problem: Problem): z.output<typeof problemSchema> {
  const { status, code, message, errors } = problem;
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    code,
    detail: message,
    ...(errors.length > 0 && { errors: [...errors] }),
  };
}
