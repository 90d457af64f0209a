// A process that holds a data directory until it is killed. Arguments: path, shards.

import { openDataDirectory } from '../../../src/server/data/data-directory.ts';

const [path, shards] = process.argv.slice(2);
openDataDirectory(path, { shards: Number(shards) });
console.log('open');
setInterval(() => {}, 60_000);
