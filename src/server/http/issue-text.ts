// Texts of faults in values, with their places.

import type { z } from 'zod';

/** A missing key is named so; zod reports the type "undefined". */
export function issueMessage({ code, message }: z.core.$ZodIssue): string {
  return code === 'invalid_type' && message.endsWith('received undefined') ? 'is missing' : message;
}

export function issueTexts(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.map((issue) => `${issue.path.join('.')}: ${issueMessage(issue)}`);
}
