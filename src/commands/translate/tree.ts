// The values of a configuration file that is being made.

export interface Tree {
  [key: string]: unknown;
}

/** Lists grow; all else is as the last one says. */
export function put(values: Tree, [key = '', ...rest]: readonly string[], what: unknown): void {
  if (rest.length > 0) put((values[key] ??= {}) as Tree, rest, what);
  else if (Array.isArray(what) && Array.isArray(values[key]) && key !== 'algorithms')
    values[key] = [...new Set([...(values[key] as unknown[]), ...what])];
  else values[key] = what;
}
