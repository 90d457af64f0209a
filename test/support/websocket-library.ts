// Whether uWebSockets.js loads here: there is no build of it for every pair of Node and C library.

import { createRequire } from 'node:module';

/** True, and told why, where tests of our WebSocket listeners cannot run. */
export const noWebSockets: boolean = (() => {
  const require = createRequire(import.meta.url);
  const reasons = ['uwebsockets-20.69', 'uwebsockets-20.51'].map((name) => {
    try {
      require(name);
      return undefined;
    } catch (error) {
      return /^Error: (.*)$/m.exec((error as Error).message)?.[1] ?? (error as Error).message;
    }
  });
  if (reasons.includes(undefined)) return false;
  console.warn(`skipped: tests of WebSocket listeners: no build of uWebSockets.js loads here (${reasons.join('; ')})`);
  return true;
})();
