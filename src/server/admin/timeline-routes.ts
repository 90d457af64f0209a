// The route of the recent past, for the dashboard's charts: a column for each figure.

import * as z from 'zod';
import { SECONDS_BOUNDS } from '../../shard/observe/measures.ts';
import type { Routes } from '../http/route.ts';
import { RANGE_NAMES, RANGES, SERIES, type SeriesName, type Timeline } from '../metrics/timeline.ts';

const PRECISION = 1000;

const numbers = z.array(z.number());

export function addTimelineRoute(routes: Routes, timeline: Timeline): void {
  routes.add({
    name: 'getTimeline',
    tag: 'Server',
    method: 'GET',
    path: '/v1/timeline',
    summary: 'The recent past in figures: five minutes by the second, an hour by five seconds, a day by two minutes',
    query: z.strictObject({
      range: z.enum(RANGE_NAMES).default('1h'),
      since: z.coerce.number().min(0).default(0).describe('only what is later than this, epoch ms'),
    }),
    response: z
      .object({
        stepSeconds: z.number().describe('between two points'),
        at: numbers.describe('end of each stretch of time, epoch ms'),
        series: z
          .object(Object.fromEntries(SERIES.map((name) => [name, numbers])) as Record<SeriesName, typeof numbers>)
          .describe(
            'rates per second; bindings, aors and connections: how many there were; cpu and disk: share of time',
          ),
        boundsSeconds: numbers,
        latency: z.array(numbers).describe('accepted registrations of each stretch, by latency'),
      })
      .meta({ id: 'Timeline' }),
    handle: ({ query: { range, since } }) => {
      const points = timeline.points(range, since);
      const column = (name: SeriesName) => points.map(({ values }) => Math.round(values[name] * PRECISION) / PRECISION);
      return {
        stepSeconds: RANGES[range].step,
        at: points.map(({ at }) => at),
        series: Object.fromEntries(SERIES.map((name) => [name, column(name)])),
        boundsSeconds: [...SECONDS_BOUNDS],
        latency: points.map(({ latency }) => latency),
      };
    },
  });
}
