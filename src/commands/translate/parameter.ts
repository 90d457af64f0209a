// A parameter of another registrar, and how its values are turned into values of keys here.

/** Keys of Aorta's file, dotted, with their values. */
export type Settings = Readonly<Record<string, unknown>>;

export interface ForeignParameter {
  /** `module.parameter`, or a parameter of the core by its name alone; all of them mean the same. */
  readonly names: readonly string[];
  /** The key that stands for it; undefined where nothing has to be set. */
  readonly key?: string;
  /** What is set for a value; undefined where the value makes no sense or needs nothing. */
  readonly set?: (value: string) => Settings | undefined;
  /** One plain sentence. */
  readonly says: string;
}

export function number(text: string): number | undefined {
  return /^-?[0-9]+$/.test(text.trim()) ? Number(text) : undefined;
}

/** A number within the bounds of its key. @param none what 0 stands for there, where it means "no limit" */
export function amount(key: string, min: number, max: number, none?: number) {
  return (text: string): Settings | undefined => {
    const value = number(text);
    if (value === undefined) return undefined;
    return { [key]: value === 0 && none !== undefined ? none : Math.min(max, Math.max(min, value)) };
  };
}

/** One value for each of the other's; others are none. */
export function choice(key: string, values: Readonly<Record<string, unknown>>) {
  return (text: string): Settings | undefined => {
    const value = values[text.trim().toLowerCase()];
    return value === undefined ? undefined : { [key]: value };
  };
}

/** A file; OpenSIPS has the name of a domain in brackets before it. */
export function file(key: string) {
  return (text: string): Settings => ({ [key]: text.replace(/^\[[^\]]*\]/, '') });
}
