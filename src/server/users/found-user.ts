// A user in the answer of a web service or a program: HA1s by algorithm, or the password that they are made of.

import * as z from 'zod';
import { HA1_COLUMNS, type Ha1Set, ha1sOf, parseHa1 } from '../../users/ha1.ts';
import { parseAor, type UserName } from '../../users/user-name.ts';
import { USER_AORS_MAX } from '../../users/user-record.ts';
import { rulesText } from '../config/user-rules.ts';

/** The part of an answer that the user store keeps. */
export interface FoundUser {
  readonly ha1s: Ha1Set;
  readonly aors: readonly string[];
  /** Rules for the user alone; '' without any. */
  readonly rules: string;
  /** Epoch ms until which the answer is valid, for any client; absent: without end. */
  readonly until?: number;
}

const ha1Hex = z.string().nullish();
const answerSchema: z.ZodType<UserCredentials> = z.object({
  ha1: ha1Hex,
  ha1_sha256: ha1Hex,
  ha1_sha512_256: ha1Hex,
  ha1b: ha1Hex,
  ha1b_sha256: ha1Hex,
  ha1b_sha512_256: ha1Hex,
  password: z.string().min(1).nullish(),
  aors: z.array(z.string()).max(USER_AORS_MAX).nullish(),
  policy: z.unknown().optional(),
});

/**
 * Credentials of one user: HA1s in hex (`ha1` is MD5's; those with a b are of "name@realm" used as a username), or a `password`, which
 * gives every HA1 and is not kept. `aors` are AORs that the user may register besides its own, `policy` its own rules in the spelling
 * of the file (docs/operating.md, rules for one user).
 */
export interface UserCredentials {
  ha1?: string | null | undefined;
  ha1_sha256?: string | null | undefined;
  ha1_sha512_256?: string | null | undefined;
  ha1b?: string | null | undefined;
  ha1b_sha256?: string | null | undefined;
  ha1b_sha512_256?: string | null | undefined;
  password?: string | null | undefined;
  aors?: string[] | null | undefined;
  policy?: unknown;
}

/**
 * An answer about one user is invalid, while the source works. For example, with invalid rules the user cannot be accepted by the
 * domain's rules alone.
 */
export class UnusableUserError extends Error {}

/** @throws UnusableUserError @throws Error where it is no such answer, or has nothing to authenticate with */
export function readFoundUser(answer: unknown, { name, realm }: UserName): FoundUser {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) throw new Error('the answer has a field of another kind');
  const { password, aors, policy } = parsed.data;
  const fields = parsed.data as Readonly<Record<string, string | null | undefined>>;
  const made = password ? ha1sOf(name, realm, password) : [];
  const ha1s = HA1_COLUMNS.map(([column], kind) => {
    const hex = fields[column];
    const ha1 = hex ? parseHa1(hex, kind) : made[kind];
    if (hex && ha1 === undefined) throw new Error(`${column} is no HA1`);
    return ha1;
  });
  if (ha1s.every((ha1) => ha1 === undefined)) throw new Error('the answer has no HA1');
  return { ha1s, aors: (aors ?? []).map(parseAor), rules: policy == null ? '' : rulesOf(policy) };
}

function rulesOf(policy: unknown): string {
  try {
    return rulesText(policy);
  } catch (error) {
    throw new UnusableUserError((error as Error).message);
  }
}
