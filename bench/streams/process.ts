// A client process: its options are its one argument, orders come in, outcomes go out.

import { type ClientOptions, serveOrders } from './clients.ts';

serveOrders(JSON.parse(process.argv[2]) as ClientOptions);
