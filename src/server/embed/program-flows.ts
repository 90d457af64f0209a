// Open connections of a program that runs the registrar in its own thread, by their numbers. With threads the table of
// flows has them instead (threads/embedded-peer.ts).

import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { type FlowNumbers, FlowTokens } from '../../transport/flow/flow-tokens.ts';

export class ProgramFlows implements FlowLiveness {
  private readonly open = new Set<number>();
  private readonly tokens: FlowTokens;
  private readonly max: number;

  constructor(numbers: FlowNumbers, max: number) {
    this.tokens = new FlowTokens(numbers);
    this.max = max;
  }

  /** The number of a new connection; 0 where the limit is reached. */
  begin(): number {
    if (this.open.size >= this.max) return 0;
    let token = this.tokens.next();
    while (this.open.has(token)) token = this.tokens.next();
    this.open.add(token);
    return token;
  }

  /** False where the connection was not open. */
  end(flow: number): boolean {
    return this.open.delete(flow);
  }

  isAlive(flow: number): boolean {
    return this.open.has(flow);
  }
}
