// Routes about abuse control: they list the limited sources and accounts, and release one.

import * as z from 'zod';
import type { Pool } from '../../../threads/pool.ts';
import { Problem } from '../../http/problem.ts';
import type { Routes } from '../../http/route.ts';
import { pageOf, pageQuery, pageSchema } from '../paging.ts';

const limitedSchema = z
  .object({
    kind: z.enum(['source', 'account']),
    name: z.string().describe('a prefix of addresses, e.g. 192.0.2.1/32; user@realm'),
    reason: z.string().describe('unanswered-challenges, failed-credentials, refusals, malformed; guessed'),
    leftSeconds: z
      .number()
      .describe('until it is looked at again, where it tries nothing meanwhile; 0: it is, yet may do little'),
    successes: z.number().describe('recent ones of a source: where there are any, it may be a victim'),
    shards: z.array(z.number()).describe('each shard counts for itself'),
  })
  .meta({ id: 'Limited' });
type Limited = z.output<typeof limitedSchema>;

/** @param pool the running shards; throws a Problem where there are none yet */
export function addAbuseRoutes(routes: Routes, pool: () => Pool): void {
  routes.add({
    name: 'listLimited',
    tag: 'Server',
    method: 'GET',
    path: '/v1/abuse',
    summary: 'Sources and accounts that abuse control limits now: those of which the log spoke',
    query: z.strictObject(pageQuery),
    response: pageSchema(limitedSchema),
    handle: async ({ query }) => pageOf(await limitedBy(pool()), query, ({ kind, name }) => `${kind} ${name}`),
  });
  routes.add({
    name: 'forgive',
    tag: 'Server',
    method: 'POST',
    path: '/v1/abuse/forgive',
    summary: 'Lets a source or an account go; what it does next counts again',
    body: z.strictObject({ name: z.string().min(1).max(2048).describe('an address, a prefix or an account') }),
    response: z.object({ shards: z.array(z.number()).describe('that limited it') }),
    handle: async ({ body: { name } }) => {
      const answers = await pool().orders.ask({ type: 'forgive', name });
      const shards = answers.flatMap(({ forgiven }, shard) => (forgiven === true ? [shard] : []));
      if (shards.length === 0) throw new Problem(404, 'not_limited', `${name} is not limited`);
      return { shards };
    },
  });
}

async function limitedBy(pool: Pool): Promise<Limited[]> {
  const found = new Map<string, Limited>();
  for (const [shard, { limited = [] }] of (await pool.orders.ask({ type: 'limited' })).entries()) {
    for (const { kind, name, reason, leftS, successes } of limited) {
      const before = found.get(`${kind} ${name}`);
      const leftSeconds = Math.max(Math.ceil(leftS), before?.leftSeconds ?? 0);
      const shards = [...(before?.shards ?? []), shard];
      found.set(`${kind} ${name}`, { kind, name, reason, leftSeconds, successes, shards });
    }
  }
  return [...found.values()];
}
