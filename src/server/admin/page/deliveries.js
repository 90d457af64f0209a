// Progress of webhooks and NATS with their changes. A server that keeps no feed is asked once.

import { get } from './api.js';
import { $, setHidden, setText, Table } from './dom.js';
import { number } from './figures.js';
import { listeners } from './live.js';

const ASKED_MS = 2000;

const n = true;
const table = new Table(
  'deliveries',
  [
    { title: 'Sent to' },
    { title: 'State' },
    { title: 'Last number', n },
    { title: 'Behind', n },
    { title: 'Retries', n },
    { title: 'Delivered', n },
    { title: 'Failed', n },
    { title: 'Gaps', n },
  ],
  'nowhere: "feed" has neither "webhook" nor "nats"',
);
let askedAt = -ASKED_MS;
let isKept = true;

async function show() {
  askedAt = performance.now();
  const { newest, deliveries } = await get('/v1/feed');
  setHidden($('deliveries-part'), false);
  setText($('deliveries-note'), `Number of the newest change: ${newest}.`);
  table.show(
    deliveries.map((one) => ({
      key: one.to,
      alarm: one.retries > 0 || one.gaps > 0,
      cells: [
        one.to,
        one.state,
        String(one.sequence),
        `${one.lagSeconds.toFixed(1)} s`,
        ...[one.retries, one.delivered, one.failures, one.gaps].map(number),
      ],
    })),
  );
}

listeners.push(() => {
  if (!isKept || performance.now() - askedAt < ASKED_MS) return;
  show().catch(({ status }) => {
    isKept = status !== 404;
  });
});
