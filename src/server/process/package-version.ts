// The version of the package that runs.

import { readFileSync } from 'node:fs';

let version: string | undefined;

export function packageVersion(): string {
  // A built module lies in the root of dist.
  const file = new URL(import.meta.url.endsWith('.ts') ? '../../../package.json' : '../package.json', import.meta.url);
  version ??= (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  return version;
}
