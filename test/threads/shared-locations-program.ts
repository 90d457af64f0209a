// A program that opens the read model and closes it again, and has nothing else to do.

import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { SharedLocations } from '../../src/threads/shared-location/shared-locations.ts';

const [data = ''] = process.argv.slice(2);
const secret = new Uint8Array(32);
const shared = new SharedLocations({ data, shards: 1, secret, policy: DEFAULT_POLICY, log: console.error });
await shared.close();
console.log('closed');
