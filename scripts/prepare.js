// What npm runs after an install, and before the first `npx aorta` in a checkout, which npm takes for an install, too, and what `npm test`
// begins with: a build where the last one was made of something else. A whole build takes half a minute, and would put a new dist under
// a server or test that runs.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILT_OF, sourcesHash } from './sources.js';

process.chdir(join(import.meta.dirname, '..'));
const isBuilt = ['dist/cli.js', BUILT_OF].every((file) => existsSync(file));
if (!isBuilt || readFileSync(BUILT_OF, 'utf8') !== sourcesHash()) await import('./build.js');
