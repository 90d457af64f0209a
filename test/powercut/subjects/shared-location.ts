// The read model beside the store that it follows: whatever a cut leaves of it, the next start makes one that equals the store.

import { LogFiles } from '../../../src/location/log/log-files.ts';
import { LogReader } from '../../../src/location/log/log-reader.ts';
import { SHARED_FORMAT } from '../../../src/location/shared/about-location.ts';
import { ChangedKeys, ChangedKeysReader, createChangedKeys } from '../../../src/location/shared/changed-keys.ts';
import { SharedLocationReader } from '../../../src/location/shared/shared-location-reader.ts';
import { SharedLocationWriter } from '../../../src/location/shared/shared-location-writer.ts';
import type { TableNews } from '../../../src/location/table/binding-table.ts';
import type { Content, Subject } from '../subject.ts';
import { expectedContent, LogRun } from './log.ts';

const ABOUT = { format: SHARED_FORMAT, secret: '', gruu: 'off', gruuGeneration: 0, domains: ['*'] } as const;
/** Ms on the writer's clock between two of its steps. */
const STEP_MS = 100;

class SharedLocationRun extends LogRun {
  private readonly writer: SharedLocationWriter;
  private readonly data: string;
  private now = 0;

  constructor(directory: string, seed: number) {
    super(directory, seed, { durability: 'durable' });
    this.data = directory;
    const memory = createChangedKeys(1 << 12);
    this.store.changes = new ChangedKeys(memory, () => {});
    const news: TableNews[] = [];
    const parts = this.store.share((each) => news.push(each));
    const reader = new LogReader(new LogFiles(`${directory}/shard-0`), parts, () => news.shift());
    this.writer = new SharedLocationWriter(directory, 1, ABOUT);
    this.writer.opened(0, { reader, changes: new ChangedKeysReader(memory) });
    this.settle();
  }

  override async step(n: number): Promise<void> {
    await super.step(n);
    this.settle();
  }

  /** The store's; throws where the model differs from it. */
  override content(): Content {
    const model = new SharedLocationReader(this.data, STEP_MS);
    const into = Buffer.alloc(1 << 16);
    let missing = 0;
    this.store.scan((key) => {
      if (model.read(key, into) <= 0) missing++;
    });
    const extra = model.aors - this.store.aors;
    model.close();
    if (missing + extra !== 0) throw new Error(`the read model lacks ${missing} and has ${extra} that are not there`);
    return super.content();
  }

  override close(): void {
    this.writer.close();
    super.close();
  }

  private settle(): void {
    while (this.writer.step((this.now += STEP_MS)));
  }
}

export const SHARED_LOCATION: Subject = {
  name: 'shared-location',
  steps: 40,
  open: (directory, seed) => new SharedLocationRun(directory, seed),
  expected: expectedContent,
};
