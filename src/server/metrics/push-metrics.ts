// Metrics of wakes by push.

import type { PushReport } from '../push/push-service.ts';
import type { Exposition, Labels } from './exposition.ts';

type Sample = readonly [Labels, number];

export function pushMetrics(out: Exposition, { services, wakeups, waiting }: PushReport): void {
  out.counter(
    'aorta_pushes_total',
    'Pushes by service: taken (sent), to devices it does not know (gone), refused, failed, and put off.',
    services.flatMap(({ service, counts }) =>
      Object.entries(counts).map(
        ([outcome, count]): Sample => [{ service, outcome: outcome.replace(' ', '_') }, count],
      ),
    ),
  );
  out.gauge(
    'aorta_push_breaker_open',
    '1 while the service is left alone after failures.',
    services.map(({ service, isOpen }): Sample => [{ service }, isOpen ? 1 : 0]),
  );
  out.counter('aorta_push_lookups_total', 'Lookups that waited for devices.', [[{}, wakeups.waited]]);
  out.counter('aorta_push_devices_total', 'Devices that lookups waited for: registered in time, or not.', [
    [{ result: 'woken' }, wakeups.woken],
    [{ result: 'timed_out' }, wakeups.timedOut],
  ]);
  out.gauge('aorta_push_waiting', 'Addresses-of-record whose lookups wait for devices.', [[{}, waiting]]);
}
