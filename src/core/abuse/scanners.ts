// Scanners that name themselves: a search for `User-Agent:` and the beginning of its value in the raw bytes of a message,
// before parsing. A sieve, not a parser: a scanner that hides its name passes, and is judged by its results.
// @hot

import { LOWER, SP } from '../../sip/scanner.ts';

const TAB = 0x09;
const COLON = 0x3a;

/** Bytes of a message that are searched: the headers of any REGISTER of a scanner. */
const SEARCH_BYTES_MAX = 2048;

/** The text searched for, in lower case: the header's name at the start of a line. */
const NAME = Uint8Array.from('\nuser-agent', (char) => char.charCodeAt(0));
const LAST = NAME.length - 1;

/** Horspool's shifts, by the byte at the window's last position: how far the search may advance. */
const SHIFT = shifts();

function shifts(): Uint8Array {
  const table = new Uint8Array(256).fill(NAME.length);
  for (let i = 0; i < LAST; i++) {
    table[NAME[i]] = LAST - i;
    table[String.fromCharCode(NAME[i]).toUpperCase().charCodeAt(0)] = LAST - i;
  }
  return table;
}

export class Scanners {
  /** Names in the list; with none no message is searched. */
  readonly count: number;
  private readonly names: readonly Uint8Array[];

  /** @param agents beginnings of scanners' User-Agent values, in any case */
  constructor(agents: readonly string[]) {
    this.names = agents
      .filter((agent) => agent !== '')
      .map((agent) => Uint8Array.from(agent.toLowerCase(), (char) => char.charCodeAt(0)));
    this.count = this.names.length;
  }

  /** Whether the first User-Agent of the message bytes[at, end) begins with one of the names. */
  sends(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.count === 0) return false;
    const stop = end - at > SEARCH_BYTES_MAX ? at + SEARCH_BYTES_MAX : end;
    let p = at + LAST;
    while (p < stop) {
      if (LOWER[bytes[p]] === NAME[LAST] && isName(bytes, p - LAST)) return this.isListed(bytes, p + 1, stop);
      p += SHIFT[bytes[p]];
    }
    return false;
  }

  private isListed(bytes: Uint8Array, at: number, end: number): boolean {
    let p = at;
    while (p < end && (bytes[p] === SP || bytes[p] === TAB)) p++;
    if (p >= end || bytes[p] !== COLON) return false;
    p++;
    while (p < end && (bytes[p] === SP || bytes[p] === TAB)) p++;
    for (let i = 0; i < this.names.length; i++) if (begins(bytes, p, end, this.names[i])) return true;
    return false;
  }
}

function isName(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < LAST; i++) if (LOWER[bytes[at + i]] !== NAME[i]) return false;
  return true;
}

function begins(bytes: Uint8Array, at: number, end: number, lower: Uint8Array): boolean {
  if (end - at < lower.length) return false;
  for (let i = 0; i < lower.length; i++) if (LOWER[bytes[at + i]] !== lower[i]) return false;
  return true;
}
