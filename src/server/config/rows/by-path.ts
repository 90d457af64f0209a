// Values by their path in an object.

export function valueAt(of: unknown, path: readonly string[]): unknown {
  let value = of;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** A copy of the object with the value at the path; undefined removes the present one. */
export function withValue<T>(of: T, [key, ...rest]: readonly string[], value: unknown): T {
  const copy = { ...of } as Record<string, unknown>;
  const next = rest.length === 0 ? value : withValue(copy[key] ?? {}, rest, value);
  if (next === undefined) delete copy[key];
  else copy[key] = next;
  return copy as T;
}
