// What is wrong with a value, by its place.

import type { z } from 'zod';

/** A key that is not there is missing; zod has it of type "undefined". */
export function issueMessage({ code, message }: z.core.$ZodIssue): string {
  return code === 'invalid_type' && message.endsWith('received undefined') ? 'is missing' : message;
}

export function issueTexts(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.map((issue) => `${issue.path.join('.')}: ${issueMessage(issue)}`);
}
