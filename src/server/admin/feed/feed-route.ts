// The feed of changes for operators: the progress of each destination.

import * as z from 'zod';
import type { Feed } from '../../feed/feed.ts';
import { Problem } from '../../http/problem.ts';
import type { Routes } from '../../http/route.ts';

const deliverySchema = z
  .object({
    to: z.string().describe('webhook or nats'),
    state: z
      .enum(['up to date', 'sending', 'retrying', 'waiting'])
      .describe('waiting: attempts are made seldom, for many have failed'),
    sequence: z.number().describe('of the last change that was accepted'),
    lagSeconds: z.number().describe('age of the oldest change that waits'),
    retries: z.number().describe('failed attempts since the last that succeeded'),
    delivered: z.number(),
    failures: z.number(),
    gaps: z.number().describe('how often changes were removed before they were sent'),
  })
  .meta({ id: 'Delivery' });

const feedSchema = z
  .object({ newest: z.number().describe('number of the newest change'), deliveries: z.array(deliverySchema) })
  .meta({ id: 'Feed' });

export function addFeedRoute(routes: Routes, feed: () => Pick<Feed, 'reports' | 'newest'> | undefined): void {
  routes.add({
    name: 'getFeed',
    tag: 'Changes',
    method: 'GET',
    path: '/v1/feed',
    summary: 'How far webhooks and NATS are with the changes that they are sent; 404 where no feed is kept',
    response: feedSchema,
    handle: () => {
      const kept = feed();
      if (kept === undefined)
        throw new Problem(404, 'no_feed', 'no changes are kept: the section "feed" of the configuration keeps them');
      const deliveries = kept.reports.map(({ open, lagS, ...report }) => ({
        ...report,
        state: open ? 'waiting' : report.retries > 0 ? 'retrying' : lagS > 0 ? 'sending' : 'up to date',
        lagSeconds: lagS,
      }));
      return { newest: kept.newest, deliveries };
    },
  });
}
