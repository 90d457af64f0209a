// The cluster's thread as the main thread has it: started before the shards, restarted where it dies, stopped after
// them.

import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Bell, ORDER_STOP } from '../../shard/rings/bell.ts';
import { taskFile } from '../tasks/task-file.ts';
import type { ClusterLog, ClusterThreadTask } from './cluster-thread.ts';

const RESTART_MS = 100;

type News =
  | { readonly type: 'open' }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: Record<string, unknown>;
    };

export class ClusterWorker {
  private readonly task: ClusterThreadTask;
  private readonly log: ClusterLog;
  private readonly bell: Bell;
  private life: Promise<void> = Promise.resolve();
  private isStopping = false;

  private constructor(task: ClusterThreadTask, bell: Bell, log: ClusterLog) {
    this.task = task;
    this.bell = bell;
    this.log = log;
  }

  /** Resolves when the thread listens for the other nodes; rejects with the error that prevents it. @param bell the thread's */
  static async start(task: ClusterThreadTask, bell: Bell, log: ClusterLog): Promise<ClusterWorker> {
    const worker = new ClusterWorker(task, bell, log);
    await new Promise<void>((opened, failed) => {
      worker.life = worker.live(opened, failed);
    });
    return worker;
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    this.bell.give(ORDER_STOP);
    await this.life;
  }

  private async live(opened: () => void, failed: (error: Error) => void): Promise<void> {
    for (let isFirst = true; !this.isStopping; isFirst = false) {
      let wasOpen = false;
      const error = await this.run(() => {
        wasOpen = true;
        if (isFirst) opened();
      });
      if (this.isStopping || (isFirst && !wasOpen)) return failed(error);
      this.log('error', 'the thread that speaks with the other nodes died', { error: error.message });
      await delay(RESTART_MS);
    }
  }

  /** Runs one life; resolves with the error that ended it. */
  private run(opened: () => void): Promise<Error> {
    return new Promise((resolve) => {
      const worker = new Worker(taskFile('cluster-thread-task'), { workerData: this.task });
      let reason = new Error('it ended by itself');
      worker.on('message', (news: News) => {
        if (news.type === 'open') opened();
        else this.log(news.level, news.event, news.fields);
      });
      worker.on('error', (error: Error) => {
        reason = error;
      });
      worker.once('exit', () => resolve(reason));
    });
  }
}
