// Tokens for connections, one after the other, out of numbers that no earlier life of the server has used. flows and
// live-flows know the connection of a token.

import { randomInt } from 'node:crypto';

/** The source of tokens. */
export interface FlowNumbers {
  readonly first: number;
  /** Count of numbers reserved from `first` on. */
  readonly step: number;
  /** Reserves as many numbers again. */
  reserve(): void;
}

const TOKENS = 2 ** 32;

/** Random numbers, saved nowhere: for servers that leave nothing behind that could name an earlier connection. */
export function unsavedNumbers(): FlowNumbers {
  return { first: randomInt(TOKENS), step: TOKENS, reserve: () => {} };
}

export class FlowTokens {
  private readonly numbers: FlowNumbers;
  private following: number;
  private used = 0;

  constructor(numbers: FlowNumbers) {
    this.numbers = numbers;
    this.following = numbers.first;
  }

  /** The next token, never 0. Throws where no more can be reserved; then no token has been given. */
  next(): number {
    const isLast = this.used + 1 >= this.numbers.step - 1;
    if (isLast) this.numbers.reserve();
    const token = this.following;
    this.following = (this.following + 1) % TOKENS;
    this.used = isLast ? -1 : this.used + 1;
    return token === 0 ? this.next() : token;
  }
}
