// Past changes of bindings over HTTP: of one AOR, or of all within a period.

import * as z from 'zod';
import type { PastChange } from '../../shard/observe/history-reader.ts';
import type { While } from '../history/history-folder.ts';
import type { HistoryKeeper } from '../history/history-keeper.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import { aorParams, pastChangeSchema } from './location-schemas.ts';
import type { Locations } from './locations.ts';
import { cursorOf, keyOf, type PageWish, pageQuery, pageSchema } from './paging.ts';

/** Changes of one moment: a page may begin in the middle of them. */
const MOMENT_MAX = 100_000;

const moment = z
  .string()
  .max(40)
  .transform((text, context) => {
    const at = /^\d{1,16}$/.test(text) ? Number(text) : Date.parse(text);
    if (Number.isNaN(at))
      context.addIssue({ code: 'custom', message: 'expected epoch ms, or a time such as 2026-01-31T02:00:00Z' });
    return at;
  });

const historyQuery = {
  ...pageQuery,
  since: moment.optional().describe('no change before: epoch ms, or ISO 8601'),
  until: moment.optional().describe('no change after'),
};

type HistoryQuery = PageWish & { readonly since?: number | undefined; readonly until?: number | undefined };

export function addHistoryRoutes(routes: Routes, locations: () => Locations, history: () => HistoryKeeper): void {
  routes.add({
    name: 'getHistory',
    tag: 'Changes',
    method: 'GET',
    path: '/v1/aors/{aor}/history',
    summary: 'The newest changes of its bindings, newest first, as far as they are kept',
    params: aorParams,
    query: z.strictObject(historyQuery),
    response: pageSchema(pastChangeSchema).extend({ aor: z.string() }),
    handle: async ({ params, query }) => {
      const key = locations().key(params.aor);
      const aor = locations().canonical(params.aor);
      return { aor, ...(await historyPage(query, (when, max) => history().ofAor(key, when, max))) };
    },
  });
  routes.add({
    name: 'listHistory',
    tag: 'Changes',
    method: 'GET',
    path: '/v1/history',
    summary: 'The newest changes of all bindings, newest first, as far as they are kept',
    query: z.strictObject(historyQuery),
    response: pageSchema(
      pastChangeSchema.extend({ aor: z.string().nullable().describe('null: nobody knows any more') }),
    ),
    handle: ({ query }) => historyPage(query, (when, max) => history().within(when, max)),
  });
}

/**
 * The cursor holds the time of the last change shown, and the number of changes of that moment that were shown: newer ones
 * are inserted before it.
 */
async function historyPage<T extends PastChange>(
  { limit, cursor, since = 0, until = Number.MAX_SAFE_INTEGER }: HistoryQuery,
  read: (when: While, max: number) => Promise<T[]>,
): Promise<{ items: T[]; next?: string }> {
  const [at, shown] = keyOf(cursor)?.split('/').map(Number) ?? [until, 0];
  if (!(at > 0 && shown >= 0 && shown <= MOMENT_MAX))
    throw new Problem(400, 'bad_cursor', 'the cursor is none of ours');
  const changes = await read({ since, until: Math.min(at, until) }, shown + limit + 1);
  const items = changes.slice(shown, shown + limit);
  if (changes.length <= shown + limit) return { items };
  const last = items[limit - 1].at;
  const before = last === at ? shown : 0;
  return { items, next: cursorOf(`${last}/${before + items.filter((item) => item.at === last).length}`) };
}
