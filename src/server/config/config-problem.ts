// Problems of a configuration, and their places for people: in a file, among flags, in a program's options.

/** Problems of a configuration: one line for each, with its place. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  /** By problem: its line of the file, with a mark below it, where there is one to show. */
  readonly excerpts: readonly (string | undefined)[];

  constructor(problems: readonly string[], excerpts: readonly (string | undefined)[] = []) {
    super(problems.join('\n'));
    this.problems = problems;
    this.excerpts = excerpts;
  }
}

/** The place of a value. */
export interface Place {
  /** E.g. `aorta.yaml:3:9: policy.min-expires` or `--min-expires`. */
  readonly name: string;
  /** Places of one source in their order. */
  readonly order: number;
  /** The line of the file, with a mark below the value. */
  readonly excerpt?: string;
}

/** A source's spelling of a configuration key, with a value where one is named: `add --allow-unauthenticated`. */
export type Spell = (key: string, value?: string) => string;

/** Raw values by configuration key, and the place of each for people. */
export interface ConfigSource {
  /** Shaped like the file: `listen`, `policy.min-expires` is `{ policy: { 'min-expires': … } }`. */
  readonly values: Readonly<Record<string, unknown>>;
  where(path: readonly PropertyKey[], unknownKey?: boolean): Place;
  readonly spell: Spell;
}

/** An impossible combination of values. */
export interface Fault {
  readonly path: readonly string[];
  readonly text: string | ((spell: Spell) => string);
}

/** Keys as in the file. */
export const spellAsFile: Spell = (key, value) => (value === undefined ? key : `${key}: ${value}`);

/** Problems of several sources, those of one source in the order of their places. */
export class ConfigProblems {
  private readonly found: { place: Place; source: number; text: string }[] = [];

  get count(): number {
    return this.found.length;
  }

  /** @param source number of the source, in the order of sources */
  add(place: Place, source: number, text: string): void {
    this.found.push({ place, source, text });
  }

  /** Throws a ConfigError where there are any. */
  raise(): void {
    if (this.found.length === 0) return;
    const sorted = this.found.sort((a, b) => a.source - b.source || a.place.order - b.place.order);
    throw new ConfigError(
      sorted.map(({ place, text }) => `${place.name}: ${text}`),
      sorted.map(({ place }) => place.excerpt),
    );
  }
}
