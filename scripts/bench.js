// `npm run bench`: builds the bench and the programs that it runs in processes and threads of their own, then runs it.

import { bundle, bundleTogether } from './bundle.js';

/** Of one module each, as what they measure is in a server (bundle.js). */
const ALONE = { main: 'bench/main.ts', reader: 'bench/shared-location/reader.ts' };
const BESIDE = {
  phones: 'bench/storm/process.ts',
  clients: 'bench/streams/process.ts',
  'wss-echo': 'bench/streams/wss-echo.ts',
  reporter: 'bench/streams/reporter.ts',
  counting: 'bench/admin/counting.ts',
};

for (const [name, entry] of Object.entries(ALONE))
  await bundle(entry, `.build/bench/${name}.js`, undefined, { sourcemap: false });
await bundleTogether(BESIDE, '.build/bench', {});
// @ts-expect-error: it has just been built
await import('../.build/bench/main.js');
