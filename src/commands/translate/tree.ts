// The values of a new configuration file.

export interface Tree {
  [key: string]: unknown;
}

/** Lists grow; for all other values the last one wins. */
export function put(values: Tree, [key = '', ...rest]: readonly string[], what: unknown): void {
  if (rest.length > 0) put((values[key] ??= {}) as Tree, rest, what);
  else if (Array.isArray(what) && Array.isArray(values[key]) && key !== 'algorithms')
    values[key] = [...new Set([...(values[key] as unknown[]), ...what])];
  else values[key] = what;
}
