// Damage in the list of `aorta doctor`: files set aside, and with --scrub present damage of the logs. Reads only.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { logFiles } from '../../location/log/log-folder.ts';
import { scrubGeneration } from '../../location/log/log-scrub.ts';
import { shardDirectories } from '../../server/data/binding-folders.ts';
import { setAside } from '../../server/data/damaged.ts';
import { bindingsIn } from '../../server/data/data-directory.ts';
import { showProgress } from '../../server/process/progress.ts';
import { mebibytes, sizeText } from '../../server/process/size-text.ts';

type Verdict = 'ok' | 'warn' | 'bad';

export interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly detail: string;
}

export async function damageFindings(data: string, scrub: boolean): Promise<Finding[]> {
  const stores = storesOf(data);
  const aside = setAside(data, stores).map(({ folder, files }): Finding => {
    const detail = `${files} files of damaged bindings in ${folder}: look at the disk, then remove them`;
    return { what: 'set aside', verdict: 'warn', detail };
  });
  if (!scrub) return aside;
  const logs: Finding[] = [];
  const display = showProgress(process.stderr.isTTY ? process.stderr : undefined, () => {});
  const total = stores.flatMap(generations).reduce((sum, file) => sum + sizeOf(file), 0);
  let done = 0;
  const read = (bytes: number) => {
    done += bytes;
    display.report('reading the log, MiB', mebibytes(done), mebibytes(total));
  };
  for (const store of stores) logs.push(await scrubStore(store, read));
  display.end();
  return [...aside, ...logs];
}

function storesOf(data: string): string[] {
  try {
    const bindings = bindingsIn(data);
    return bindings === undefined ? [] : shardDirectories(bindings.path, bindings.shards);
  } catch {
    return []; // a start reports the fault of the directory's own file
  }
}

function generations(store: string): string[] {
  return logFiles(store)
    .filter((file) => file.endsWith('.mdb'))
    .map((file) => join(store, file));
}

/** Size in bytes; 0 where the file was dropped meanwhile. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

async function scrubStore(store: string, progress: (bytes: number) => void): Promise<Finding> {
  const bad: string[] = [];
  let bytes = 0;
  for (const file of generations(store)) {
    try {
      const read = await scrubGeneration(file, async (passed) => progress(passed));
      bytes += read.bytes;
      for (const offset of read.bad) bad.push(`${file} at ${offset}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') bad.push(`${file}: ${String(error)}`); // dropped meanwhile
    }
  }
  if (bad.length === 0) return { what: 'log', verdict: 'ok', detail: `${store}: ${sizeText(bytes)}, sound` };
  const detail = `${bad.length} damaged places (${bad.slice(0, 3).join(', ')}): their phones register anew; look at the disk`;
  return { what: 'log', verdict: 'bad', detail };
}
