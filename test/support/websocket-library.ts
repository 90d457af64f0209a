// Whether uWebSockets.js loads here: there is no build of it for every pair of Node and C library.

import { uWebSockets } from '../../src/transport/websocket/uwebsockets.ts';

const library = uWebSockets();

/** True, and told why, where tests of our WebSocket listeners cannot run. */
export const noWebSockets = typeof library === 'string';
if (noWebSockets) console.warn(`skipped: tests of WebSocket listeners: ${library}`);
