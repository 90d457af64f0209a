// Routes about users: their names and the AORs that they may register. Passwords in requests are hashed; no answer ever has any
// part of them.

import * as z from 'zod';
import { canonicalDomain } from '../../core/uas/domains.ts';
import { HA1_COLUMNS, type Ha1Set, ha1sOf } from '../../users/ha1.ts';
import type { User } from '../../users/stored-user.ts';
import { parseAor, parseUserName, type UserName } from '../../users/user-name.ts';
import { HA1_FULL, HA1_LENGTHS, USER_AORS_MAX } from '../../users/user-record.ts';
import type { UserStore } from '../../users/user-store.ts';
import { domainOf, unserved } from '../config/served-domains.ts';
import { rulesText, shownRules } from '../config/user-rules.ts';
import { issueTexts } from '../http/issue-text.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import { keyOf, pageFrom, pageQuery, pageSchema } from './paging.ts';

const userSchema = z
  .object({
    user: z.string().describe('name@domain'),
    aors: z.array(z.string()).describe('addresses of others that it may register'),
    policy: z.record(z.string(), z.unknown()).describe('rules for it alone, as in the file; {}: as in the domain'),
  })
  .meta({ id: 'User' });
const userParams = z.strictObject({ user: z.string().min(1).max(512).describe('name@domain') });
const BULK_MAX = 1000;

const ha1 = (kind: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${2 * HA1_LENGTHS[kind % HA1_FULL]}}$`, 'i'), {
      error: `expected ${2 * HA1_LENGTHS[kind % HA1_FULL]} hex digits`,
    })
    .optional();
/** Proof of a user: a password, or HA1s under the names that imports use; `ha1b` is of name@domain. */
const newUser = {
  password: z.string().min(1).max(256).optional(),
  ...(Object.fromEntries(HA1_COLUMNS.map(([name], kind) => [name, ha1(kind)])) as Record<
    Ha1Name,
    ReturnType<typeof ha1>
  >),
  aors: z.array(z.string().max(512)).max(USER_AORS_MAX).optional(),
  policy: z.record(z.string(), z.unknown()).optional().describe('all rules for it alone; absent: as before'),
};
const newUserSchema: z.ZodType<NewUser> = z.strictObject(newUser);
type Ha1Name = 'ha1' | 'ha1_sha256' | 'ha1_sha512_256' | 'ha1b' | 'ha1b_sha256' | 'ha1b_sha512_256';
/** Proof of a user is either a `password` or HA1s in hex; without both a user keeps its former one. */
export interface NewUser extends Partial<Record<Ha1Name, string | undefined>> {
  password?: string | undefined;
  /** AORs of other users that it may register. */
  aors?: string[] | undefined;
  /** All rules of its own, as in the file; absent: as before. */
  policy?: Record<string, unknown> | undefined;
}
export interface ShownUser {
  /** name@domain */
  user: string;
  aors: string[];
  /** Rules of its own; empty: the domain's. */
  policy: Record<string, unknown>;
}
type UserRecord = Parameters<UserStore['put']>[0][number];

/** @param store throws a Problem where clients do not authenticate @param domains the served ones */
export function addUserRoutes(routes: Routes, store: () => UserStore, domains: () => readonly string[]): void {
  const recordOf = recordsFor(store, domains);
  addBulkRoute(routes, store, recordOf);
  routes.add({
    name: 'listUsers',
    tag: 'Users',
    method: 'GET',
    path: '/v1/users',
    summary: 'Users, a page at a time',
    query: z.strictObject({
      ...pageQuery,
      domain: z.string().min(1).max(255).optional().describe('of this domain only'),
      match: z.string().min(1).max(256).optional().describe('users whose name contains this'),
    }),
    response: pageSchema(userSchema),
    handle: ({ query: { limit, cursor, domain, match } }) => {
      const after = keyOf(cursor);
      const users = shown(store().all(after === undefined ? undefined : nameOf(after)), fitting(domain, match));
      return pageFrom(users, limit, ({ user }) => user);
    },
  });
  routes.add({
    name: 'getUser',
    tag: 'Users',
    method: 'GET',
    path: '/v1/users/{user}',
    summary: 'One user',
    params: userParams,
    response: userSchema,
    handle: ({ params }) => {
      const user = nameOf(params.user);
      const found = store().get(user);
      if (found === undefined) throw missing(user);
      return shownUser(found);
    },
  });
  routes.add({
    name: 'putUser',
    tag: 'Users',
    method: 'PUT',
    path: '/v1/users/{user}',
    summary:
      'Adds a user, or gives it another password, other HA1s, addresses or rules; in force with the next request',
    params: userParams,
    body: newUserSchema,
    status: 204,
    handle: ({ params, body }) => {
      store().put([recordOf(nameOf(params.user), params.user, body)], 'any');
    },
  });
  routes.add({
    name: 'removeUser',
    tag: 'Users',
    method: 'DELETE',
    path: '/v1/users/{user}',
    summary: 'Removes a user; its bindings go as well, within a second or two',
    params: userParams,
    status: 204,
    handle: ({ params }) => {
      const user = nameOf(params.user);
      if (!store().remove(user)) throw missing(user);
    },
  });
}

/** The same, for callers with a store. @param store @param domains as addUserRoutes' */
export function userEdits(store: () => UserStore, domains: () => readonly string[]) {
  const recordOf = recordsFor(store, domains);
  return {
    get(user: string): ShownUser | undefined {
      const found = store().get(nameOf(user));
      return found && shownUser(found);
    },
    list({ domain, match }: { readonly domain?: string; readonly match?: string }): Iterable<ShownUser> {
      return shown(store().all(), fitting(domain, match));
    },
    put(user: string, given: NewUser): void {
      const checked = newUserSchema.safeParse(given);
      if (!checked.success) throw new Problem(400, 'bad_request', issueTexts(checked.error.issues).join('; '));
      store().put([recordOf(nameOf(user), user, checked.data)], 'any');
    },
    remove(user: string): boolean {
      return store().remove(nameOf(user));
    },
  };
}

function fitting(domain: string | undefined, match: string | undefined): (user: ShownUser) => boolean {
  return ({ user }) =>
    (match === undefined || user.includes(match)) &&
    (domain === undefined || user.endsWith(`@${canonicalDomain(domain)}`));
}

type MakeRecord = (user: UserName, text: string, given: NewUser) => UserRecord;

/** Makes a function that builds the user of a request. It throws a Problem. */
function recordsFor(store: () => UserStore, domains: () => readonly string[]): MakeRecord {
  return (user, text, given) => {
    const aors = given.aors?.map((aor) => asked(() => parseAor(aor)));
    const rules = given.policy && asked(() => rulesText(given.policy));
    demandServed([user.realm, ...(aors ?? []).map(domainOf)], domains());
    const ha1s = ha1sOfBody(user, text, given) ?? store().get(user)?.ha1s;
    if (ha1s === undefined)
      throw new Problem(400, 'bad_request', `${user.name}@${user.realm} is new and needs a password or HA1s`);
    return { ...user, ha1s, ...(aors && { aors }), ...(rules !== undefined && { rules }) };
  };
}

function addBulkRoute(routes: Routes, store: () => UserStore, recordOf: MakeRecord): void {
  routes.add({
    name: 'putUsers',
    tag: 'Users',
    method: 'PUT',
    path: '/v1/users',
    summary: 'Adds or replaces many users in one transaction: all of them, or none where one makes no sense',
    body: z.strictObject({
      users: z
        .array(z.strictObject({ user: z.string().min(1).max(512), ...newUser }))
        .min(1)
        .max(BULK_MAX),
    }),
    response: z.object({ added: z.number(), replaced: z.number() }),
    handle: ({ body: { users } }) => {
      const errors: { path: string; message: string }[] = [];
      const seen = new Set<string>();
      const records = users.flatMap(({ user, ...rest }, i) => {
        try {
          const record = recordOf(nameOf(user), user, rest);
          const name = `${record.name}@${record.realm}`;
          if (seen.has(name)) throw new Problem(400, 'bad_request', `${name} is there twice`);
          seen.add(name);
          return [record];
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          errors.push({ path: `body.users.${i}`, message: error.message });
          return [];
        }
      });
      if (errors.length > 0)
        throw new Problem(400, 'bad_request', `nothing was changed: ${errors[0].path}: ${errors[0].message}`, errors);
      const { added, replaced } = store().put(records, 'any');
      return { added, replaced };
    },
  });
}

function* shown(users: Iterable<User>, fits: (user: z.output<typeof userSchema>) => boolean) {
  for (const one of users) {
    const user = shownUser(one);
    if (fits(user)) yield user;
  }
}

function shownUser({ name, realm, aors, rules = '' }: User): z.output<typeof userSchema> {
  return { user: `${name}@${realm}`, aors: [...aors], policy: shownRules(rules) };
}

/** Undefined where the body has no proof of a user. */
function ha1sOfBody({ name, realm }: UserName, text: string, given: NewUser): Ha1Set | undefined {
  const { password } = given;
  const ha1s = HA1_COLUMNS.map(([column]) => given[column as Ha1Name]);
  const hasHa1 = ha1s.some((one) => one !== undefined);
  if (password !== undefined && hasHa1)
    throw new Problem(400, 'bad_request', 'a password and HA1s are two ways to say one thing: give one of them');
  if (password !== undefined) return ha1sOf(name, realm, password);
  if (!hasHa1) return undefined;
  const domain = text.slice(text.lastIndexOf('@') + 1);
  if (domain !== realm)
    throw new Problem(400, 'bad_request', `the domain ${domain} has capitals: its HA1s hold for that spelling only`);
  return ha1s.map((one) => (one === undefined ? undefined : Buffer.from(one, 'hex')));
}

/** Throws a Problem: a user or AOR of a domain that is not served would have no effect. */
function demandServed(names: readonly string[], domains: readonly string[]): void {
  const [missing] = unserved(names, domains);
  if (missing !== undefined)
    throw new Problem(422, 'domain_not_served', `${missing} is not served here: ${domains.join(', ')}`);
}

function nameOf(text: string): UserName {
  return asked(() => parseUserName(text));
}

function missing({ name, realm }: UserName): Problem {
  return new Problem(404, 'no_user', `there is no user ${name}@${realm}`);
}

function asked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Problem(400, 'bad_request', (error as Error).message);
  }
}
