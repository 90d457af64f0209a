// The main thread's end of a change of rules: the rules that every shard's next life begins with, and the way of new ones to
// the shards that run, each of which applies them between two batches and reports that.

import type { MessagePort } from 'node:worker_threads';
import { type Bell, ORDER_CONFIGURE } from '../shard/rings/bell.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';

/** A shard that has not answered by then is in a long commit: it takes the rules after it. */
const ANSWER_MS_MAX = 5000;

export class Reconfiguration {
  current: ShardSettings;
  private readonly bells: readonly Bell[];
  private readonly ports: (MessagePort | undefined)[] = [];
  private readonly waiting: ((problem?: string) => void)[][] = [];

  constructor(first: ShardSettings, bells: readonly Bell[]) {
    this.current = first;
    this.bells = bells;
  }

  /** A life of a shard serves; `port` leads to its thread. */
  opened(shard: number, port: MessagePort): void {
    this.ports[shard] = port;
  }

  /** A shard's life is over: the next one begins with what is current. */
  ended(shard: number): void {
    this.ports[shard] = undefined;
    for (const done of this.waiting[shard]?.splice(0) ?? []) done();
  }

  /** A shard has taken the oldest settings that it was sent, or reports why not. */
  answered(shard: number, problem?: string): void {
    this.waiting[shard]?.shift()?.(problem);
  }

  /** Resolves when all shards that run work by the settings; rejects with what one has against them. */
  async change(settings: ShardSettings): Promise<void> {
    this.current = settings;
    const answers = this.bells.map((bell, shard) => {
      const port = this.ports[shard];
      if (port === undefined) return undefined;
      return new Promise<string | undefined>((resolve) => {
        const timer = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
        this.waiting[shard] ??= [];
        this.waiting[shard].push((problem) => {
          clearTimeout(timer);
          resolve(problem);
        });
        port.postMessage(settings);
        bell.offer(ORDER_CONFIGURE);
      });
    });
    const problems = (await Promise.all(answers)).flatMap((problem, shard) =>
      problem === undefined ? [] : `shard ${shard} keeps its rules: ${problem}`,
    );
    if (problems.length > 0) throw new Error(problems.join('; '));
  }
}
