// A lookup whose record the disk does not give: an answer that says so, and the server goes on.

import { expect, it } from 'vitest';
import { UnreadableError } from '../../../src/location/location-reader.ts';
import { LookupRoutes } from '../../../src/server/lookups/lookup-routes.ts';

const routes = new LookupRoutes((aor) => {
  if (aor.startsWith('bad')) throw new UnreadableError(new Error('EIO: i/o error, read'));
  return { aor, contacts: [], fallbacks: [] };
});

it('R3261-10.3-33 draws 503, one by one and as one of a batch', () => {
  const answer = routes.answer('GET', '/v1/aors/bad@example.com/contacts');
  expect(answer?.status).toBe(503);
  expect(JSON.parse(answer?.text ?? '')).toMatchObject({ code: 'unreadable', detail: expect.stringContaining('EIO') });
  expect(routes.answer('GET', '/v1/aors/good@example.com/contacts')?.status).toBe(200);

  const batch = routes.batch(JSON.stringify({ aors: ['good@example.com', 'bad@example.com'] }));
  if (!('next' in batch)) return expect.unreachable();
  expect(batch.next()).toBeUndefined();
  const all = batch.next();
  expect(all?.status).toBe(200);
  expect(JSON.parse(all?.text ?? '').results).toMatchObject([
    { contacts: [] },
    { aor: 'bad@example.com', error: 'unreadable' },
  ]);
});
