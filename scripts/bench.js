// `npm run bench`: builds the bench and the programs that it runs in processes and threads of their own, then runs it.

import { bundle } from './bundle.js';

const PROGRAMS = {
  main: 'bench/main.ts',
  phones: 'bench/storm/process.ts',
  clients: 'bench/streams/process.ts',
  'wss-echo': 'bench/streams/wss-echo.ts',
  reporter: 'bench/streams/reporter.ts',
  reader: 'bench/shared-location/reader.ts',
  counting: 'bench/admin/counting.ts',
};

for (const [name, entry] of Object.entries(PROGRAMS)) await bundle(entry, `.build/bench/${name}.js`);
// @ts-expect-error: it has just been built
await import('../.build/bench/main.js');
