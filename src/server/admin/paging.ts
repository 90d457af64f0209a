// Pages of the API's lists: `limit` items, and `next`, the cursor of the following page, where there is one.

import * as z from 'zod';
import { Problem } from '../http/problem.ts';

const PAGE_MAX = 1000;

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(100),
  cursor: z.string().max(2048).optional().describe('`next` of the page before'),
};

export interface PageWish {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Schema of a list's page in the API's description. */
export function pageSchema<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z.string().optional().describe('cursor of the next page; absent: this is the last'),
  });
}

/** The key after which a page begins; undefined: the first page. Throws a Problem. */
export function keyOf(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const key = Buffer.from(cursor, 'base64url').toString();
  if (key === '' || cursorOf(key) !== cursor) throw new Problem(400, 'bad_cursor', 'the cursor is none of ours');
  return key;
}

export function cursorOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

/** A page of items in the order of their unique keys; `items` begins after the cursor's. */
export function pageFrom<T>(
  items: Iterable<T>,
  limit: number,
  nameOf: (item: T) => string,
): { items: T[]; next?: string } {
  const page: T[] = [];
  for (const item of items) {
    if (page.length === limit) return { items: page, next: cursorOf(nameOf(page[limit - 1])) };
    page.push(item);
  }
  return { items: page };
}

/** A page of a list that is completely in memory. */
export function pageOf<T>(list: readonly T[], { limit, cursor }: PageWish, nameOf: (item: T) => string) {
  const after = keyOf(cursor);
  const sorted = [...list].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return pageFrom(after === undefined ? sorted : sorted.filter((item) => nameOf(item) > after), limit, nameOf);
}
