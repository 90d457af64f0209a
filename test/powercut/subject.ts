// What is tried by power cuts: a program that changes files in a directory step by step, and what must be there after so many
// steps. Steps are the same whenever they are made: a seed and their numbers say all.

/** What is there, one text per thing. */
export type Content = ReadonlyMap<string, string>;

/** What is known when a content is looked at. */
export interface Known {
  readonly seed: number;
  /** Steps acknowledged; one more may have been under way. */
  readonly acknowledged: number;
  /** Steps that may have been made; one more than acknowledged where it is not said. */
  readonly most?: number;
  /** What an opening before the cut found, and how many steps were acknowledged since; undefined: none had opened it. */
  readonly before: { readonly content: Content; readonly steps: number } | undefined;
}

export interface Subject {
  readonly name: string;
  /** Of a recording; most cuts come within them. */
  readonly steps: number;
  /** Opens what is in the directory, or begins anew. Throws where that is impossible, which is a failure. */
  open(directory: string, seed: number): Run | Promise<Run>;
  /** False: a step that was not acknowledged may be seen after a kill, and be gone after a cut of power: its readers sync nothing. */
  readonly shownStays?: boolean;
  /** What must be there when `steps` were acknowledged and no more was begun. */
  expected(seed: number, steps: number): Content;
  /**
   * What is wrong with a content, undefined: nothing. Without it the content must be what is expected after the steps that
   * were acknowledged, or after one more.
   */
  check?(found: Content, known: Known): string | undefined;
}

export interface Run {
  /** Makes step `n`, counted from 0; when it returns it is acknowledged. */
  step(n: number): void | Promise<void>;
  content(): Content | Promise<Content>;
  close(): void | Promise<void>;
}

/** What is wrong with what was found after a cut, by the subject's rules. */
export function wrongIn(subject: Subject, found: Content, known: Known): string | undefined {
  if (subject.check !== undefined) return subject.check(found, known);
  const { seed, acknowledged, most = acknowledged + 1 } = known;
  const first = firstDifference(found, subject.expected(seed, acknowledged));
  for (let steps = acknowledged; steps <= most; steps++)
    if (firstDifference(found, subject.expected(seed, steps)) === undefined) return undefined;
  return `after ${acknowledged} steps ${first}`;
}

/** After how many steps this is the content. */
export function stepsOf(subject: Subject, found: Content, { seed, acknowledged, most }: Omit<Known, 'before'>): number {
  if (subject.check !== undefined) return acknowledged;
  for (let steps = acknowledged; steps <= (most ?? acknowledged + 1); steps++)
    if (firstDifference(found, subject.expected(seed, steps)) === undefined) return steps;
  return acknowledged;
}

export function firstDifference(found: Content, wanted: Content): string | undefined {
  for (const [key, text] of wanted) if (found.get(key) !== text) return `${key}: ${found.get(key)} instead of ${text}`;
  for (const [key, text] of found) if (!wanted.has(key)) return `${key}: ${text} instead of nothing`;
  return undefined;
}
