// The harness's end of the process whose power is cut: started when it is needed, and again when it has died.

import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, poll } from '../support/child-process.ts';
import type { ChildAnswer, ChildOrder } from './child.ts';
import { type Operation, takeTrace } from './trace.ts';

const ANSWER_MS = 60_000;
/** Memory that the garbage collector of a process leaves for later is freed by its end. */
const ORDERS_MAX = 400;

export interface Outcome {
  readonly answer: ChildAnswer;
  /** What it did meanwhile. */
  readonly operations: readonly Operation[];
}

export class ChildLink {
  /** The directory that the recorder watches. */
  readonly root: string;
  private readonly work: string;
  private readonly acknowledgements: string;
  private readonly program: string;
  private readonly recorder: string;
  private child: Child | undefined;
  private orders = 0;

  /** @param work an empty directory @param program the bundled child @param recorder the library to preload */
  constructor(work: string, program: string, recorder: string) {
    this.work = work;
    this.root = join(work, 'root');
    this.acknowledgements = join(this.root, 'acknowledgements');
    this.program = program;
    this.recorder = recorder;
  }

  async obey(order: ChildOrder): Promise<Outcome> {
    if (this.orders++ % ORDERS_MAX === 0) this.close();
    writeFileSync(this.path('boot-id'), `${randomUUID()}\n`); // a machine that has lost its power boots
    this.child ??= this.start();
    const { child } = this;
    child.stdout = '';
    child.write(`${JSON.stringify(order)}\n`);
    const answered = () => child.stdout.endsWith('\n') || child.exit !== undefined;
    try {
      await poll('an answer', ANSWER_MS, answered, 1);
    } catch {
      this.close();
      return this.outcome({ error: `no answer within ${ANSWER_MS} ms` });
    }
    if (child.exit === undefined) return this.outcome(JSON.parse(child.stdout) as ChildAnswer);
    const { signal, code } = child.exit;
    this.close();
    const last = child.stderr.trim().split('\n').slice(-5).join('\n');
    return this.outcome({ error: `the process died of ${signal ?? `exit ${code}`}\n${last}` });
  }

  close(): void {
    this.child?.killTree();
    this.child = undefined;
  }

  private outcome(answer: ChildAnswer): Outcome {
    const isOurs = (operation: Operation) => 'path' in operation && operation.path === this.acknowledgements;
    return { answer, operations: takeTrace(this.path('trace')).filter((operation) => !isOurs(operation)) };
  }

  private start(): Child {
    rmSync(this.path('trace'), { force: true });
    return new Child(process.execPath, [this.program], {
      env: {
        LD_PRELOAD: this.recorder,
        POWERCUT_ROOT: this.root,
        POWERCUT_TRACE: this.path('trace'),
        POWERCUT_ACKS: this.acknowledgements,
        POWERCUT_BOOT_ID: this.path('boot-id'),
        UV_USE_IO_URING: '0', // what goes around the C library is not recorded
      },
    });
  }

  private path(name: string): string {
    return join(this.work, name);
  }
}
