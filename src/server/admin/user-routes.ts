// Routes about users: who they are and what they may register. Passwords come in and are hashed; nothing of them goes out.

import { z } from 'zod';
import { USER_AORS_MAX } from '../../shard/user-record.ts';
import { ha1sOf } from '../ha1.ts';
import { Problem } from '../problem.ts';
import { parseAor, parseUserName, type UserName } from '../user-name.ts';
import type { UserStore } from '../user-store.ts';
import type { Routes } from './route.ts';

const userSchema = z.object({
  user: z.string().describe('name@domain'),
  aors: z.array(z.string()).describe('addresses of others that it may register'),
});
const userParams = z.strictObject({ user: z.string().min(1).max(512).describe('name@domain') });
const PAGE_MAX = 1000;

/** @param store throws a Problem where nobody authenticates */
export function addUserRoutes(routes: Routes, store: () => UserStore): void {
  routes.add({
    method: 'GET',
    path: '/v1/users',
    summary: 'Users, a page at a time',
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(100),
      offset: z.coerce.number().int().min(0).default(0),
      match: z.string().min(1).max(256).optional().describe('users whose name contains this'),
    }),
    response: z.object({ items: z.array(userSchema), total: z.number() }),
    handle: ({ query: { limit, offset, match } }) => {
      const items: z.output<typeof userSchema>[] = [];
      let skipped = 0;
      for (const { name, realm, aors } of store().all()) {
        const user = `${name}@${realm}`;
        if (match !== undefined && !user.includes(match)) continue;
        if (skipped++ < offset) continue;
        items.push({ user, aors: [...aors] });
        if (items.length === limit) break;
      }
      return { items, total: store().count };
    },
  });
  routes.add({
    method: 'GET',
    path: '/v1/users/{user}',
    summary: 'One user',
    params: userParams,
    response: userSchema,
    handle: ({ params }) => {
      const user = nameOf(params.user);
      const found = store().get(user);
      if (found === undefined) throw missing(user);
      return { user: `${found.name}@${found.realm}`, aors: found.aors };
    },
  });
  routes.add({
    method: 'PUT',
    path: '/v1/users/{user}',
    summary: 'Adds a user, or gives it another password or other addresses; in force with the next request',
    params: userParams,
    body: z.strictObject({
      password: z.string().min(1).max(256).optional(),
      aors: z.array(z.string().max(512)).max(USER_AORS_MAX).optional(),
    }),
    status: 204,
    handle: ({ params, body }) => {
      const user = nameOf(params.user);
      const aors = body.aors?.map((aor) => asked(() => parseAor(aor)));
      const { password } = body;
      const ha1s = password === undefined ? store().get(user)?.ha1s : ha1sOf(user.name, user.realm, password);
      if (ha1s === undefined)
        throw new Problem(400, 'bad_request', `${user.name}@${user.realm} is new and needs a password`);
      store().put([{ ...user, ha1s, ...(aors && { aors }) }], 'any');
    },
  });
  routes.add({
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
