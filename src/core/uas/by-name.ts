// A value for each name, such as a domain or an AOR, found by its bytes: by their hash, then byte by byte.
// @hot

import { sameBytes } from '../../sip/scanner.ts';

export class ByName<T> {
  readonly isEmpty: boolean;
  private readonly byHash = new Map<number, { name: Uint8Array; value: T }[]>();

  /** @param values by name, in the spelling of the searched bytes */
  constructor(values: readonly (readonly [name: string, value: T])[]) {
    this.isEmpty = values.length === 0;
    for (const [key, value] of values) {
      const name = Uint8Array.from(key, (char) => char.charCodeAt(0));
      const hash = hashOf(name, 0, name.length);
      const found = this.byHash.get(hash) ?? [];
      found.push({ name, value });
      this.byHash.set(hash, found);
    }
  }

  find(bytes: Uint8Array, at: number, end: number): T | undefined {
    const found = this.byHash.get(hashOf(bytes, at, end));
    if (found === undefined) return undefined;
    for (let i = 0; i < found.length; i++) {
      const { name } = found[i];
      if (sameBytes(bytes, at, end, name, 0, name.length)) return found[i].value;
    }
    return undefined;
  }
}

function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  for (let i = at; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return hash;
}
