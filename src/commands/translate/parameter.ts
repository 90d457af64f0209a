// A parameter of another registrar, and the translation of its values.

/** Keys of Aorta's file, dotted, with their values. */
export type Settings = Readonly<Record<string, unknown>>;

export interface ForeignParameter {
  /** `module.parameter`, or the name of a parameter of the core; all of them have the same meaning. */
  readonly names: readonly string[];
  /** The equivalent key; undefined where no key has to be set. */
  readonly key?: string;
  /** Settings for a value; undefined where the value is invalid or needs none. */
  readonly set?: (value: string) => Settings | undefined;
  /** One plain sentence. */
  readonly says: string;
}

export function number(text: string): number | undefined {
  return /^-?[0-9]+$/.test(text.trim()) ? Number(text) : undefined;
}

/** A number within the bounds of its key. @param none Aorta's value for 0, where that means "no limit" */
export function amount(key: string, min: number, max: number, none?: number) {
  return (text: string): Settings | undefined => {
    const value = number(text);
    if (value === undefined) return undefined;
    return { [key]: value === 0 && none !== undefined ? none : Math.min(max, Math.max(min, value)) };
  };
}

/** One value for each of the other's values; unknown ones have none. */
export function choice(key: string, values: Readonly<Record<string, unknown>>) {
  return (text: string): Settings | undefined => {
    const value = values[text.trim().toLowerCase()];
    return value === undefined ? undefined : { [key]: value };
  };
}

/** A file; OpenSIPS writes the name of a domain in brackets before it. */
export function file(key: string) {
  return (text: string): Settings => ({ [key]: text.replace(/^\[[^\]]*\]/, '') });
}
