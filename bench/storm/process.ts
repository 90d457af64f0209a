// The process of the phones, which has a core of its own: options come in, the report goes out.

import { Storm, type StormOptions } from './phones.ts';

process.once('message', async (options: Omit<StormOptions, 'progress'>) => {
  const report = await new Storm({ ...options, progress: (line) => console.error(line) }).run();
  process.send?.(report, () => process.exit());
});
