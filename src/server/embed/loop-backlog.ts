// Waiting messages of a registrar inside a program cannot be counted: they lie in the program's sockets. It is known whether the
// event loop found work at each turn, without a pause: then the oldest message has waited at most since the last pause.

import type { Backlog } from '../../shard/batch.ts';

/** With fewer messages in a turn there is no crowd: Node reads up to 32 datagrams of a socket in one turn. */
const CROWD_PER_TURN = 16;

export class LoopBacklog implements Backlog {
  /** The capacity of the program's sockets is unknown. */
  readonly fill = 0;
  private readonly idleMs: () => number;
  private readonly elapsed: () => number;
  private idledMs = 0;
  private busySince = 0;
  private messages = 0;
  private wait = 0;

  /** @param idleMs idle time of the event loop since it began, ms @param elapsed ms since any moment */
  constructor(idleMs: () => number, elapsed: () => number) {
    this.idleMs = idleMs;
    this.elapsed = elapsed;
  }

  /** The next batch is the last of this turn of the event loop. */
  endTurn(messages: number): void {
    const { elapsed } = this;
    const idledMs = this.idleMs();
    const crowd = this.messages + messages;
    this.messages = 0;
    if (idledMs !== this.idledMs || crowd < CROWD_PER_TURN) this.busySince = elapsed();
    this.idledMs = idledMs;
    this.wait = elapsed() - this.busySince;
  }

  /** A batch that filled up within a turn changes nothing. */
  waitMs(batch: number): number {
    this.messages += batch;
    return this.wait;
  }
}
