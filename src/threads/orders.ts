// The main thread's side of orders to shards. It holds the rules that every shard's next life begins with, and sends new rules
// and questions to running shards. Each shard follows them between two batches and answers.

import type { MessagePort } from 'node:worker_threads';
import { type Bell, ORDER_CONFIGURE } from '../shard/rings/bell.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';
import type { OrderAnswer, ShardOrder } from './shard-messages.ts';

/** A shard without an answer by then is in a long commit: it applies the rules after it. */
const ANSWER_MS_MAX = 5000;

export class Orders {
  current: ShardSettings;
  private readonly bells: readonly Bell[];
  private readonly ports: (MessagePort | undefined)[] = [];
  private readonly waiting: ((answer: OrderAnswer) => void)[][] = [];

  constructor(first: ShardSettings, bells: readonly Bell[]) {
    this.current = first;
    this.bells = bells;
  }

  /** A shard's life serves; `port` leads to its thread. */
  opened(shard: number, port: MessagePort): void {
    this.ports[shard] = port;
  }

  /** A shard's life is over: the next one begins with the current rules. */
  ended(shard: number): void {
    this.ports[shard] = undefined;
    for (const done of this.waiting[shard]?.splice(0) ?? []) done({});
  }

  /** A shard has followed its oldest order, or reports why not. */
  answered(shard: number, answer: OrderAnswer): void {
    this.waiting[shard]?.shift()?.(answer);
  }

  /** Resolves when all running shards work by the settings; rejects with the objection of one. */
  async change(settings: ShardSettings): Promise<void> {
    this.current = settings;
    const answers = await this.ask({ type: 'rules', settings });
    const problems = answers.flatMap(({ problem }, shard) =>
      problem === undefined ? [] : `shard ${shard} keeps its rules: ${problem}`,
    );
    if (problems.length > 0) throw new Error(problems.join('; '));
  }

  /** Each shard's answer; none from a shard that does not run or takes too long. */
  ask(order: ShardOrder): Promise<OrderAnswer[]> {
    const answers = this.bells.map((bell, shard) => {
      const port = this.ports[shard];
      if (port === undefined) return Promise.resolve({});
      return new Promise<OrderAnswer>((resolve) => {
        const timer = setTimeout(() => resolve({}), ANSWER_MS_MAX);
        this.waiting[shard] ??= [];
        this.waiting[shard].push((answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        port.postMessage(order);
        bell.offer(ORDER_CONFIGURE);
      });
    });
    return Promise.all(answers);
  }
}
