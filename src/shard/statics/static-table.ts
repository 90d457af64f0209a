// Static bindings and aliases for lookups: by key, as images like those of registered bindings. Checks twice a second whether
// the file has changed. static-file.ts reads the file.
// @hot

import { setTime, setU16 } from '../../core/binding/binding.ts';
import {
  DISPLAY_LENGTH,
  EXPIRES_AT,
  FLAGS,
  IMAGE_STATIC,
  LENGTH,
  PATH_LENGTH,
  Q,
  SOURCE_FAMILY,
  TEXTS,
  URI_LENGTH,
} from '../../core/binding/image-layout.ts';
import type { NamedAor } from '../../core/lookup/aor-key.ts';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { findStatic, type StaticContact, type StaticContent, staticFile } from './static-file.ts';

const LOOK_MS = 500;
const ALIASES_DEEP_MAX = 8;
const NONE = new Uint8Array(0);
/** The end of the year 9999: no binding outlives it. */
const FOR_EVER_MS = 253_402_300_799_000;

/** A content for lookups: the first of its entries by the first word of their keys. */
export type StaticEntries = ReadonlyMap<number, Entry>;

interface Entry {
  readonly key: Uint32Array;
  /** Of an alias: its target AOR, and that AOR's key. */
  readonly target: { readonly key: Uint32Array; readonly text: string } | null;
  /** Back to back. */
  readonly images: Uint8Array;
  /** Another AOR whose key begins with the same word. */
  readonly next: Entry | undefined;
}

export interface StaticTableOptions {
  /** Data directory; null: bindings come by `set` alone. */
  readonly data: string | null;
  readonly aor: (text: string) => Pick<NamedAor, 'key' | 'text'> | undefined;
  readonly failed: (problem: string) => void;
}

export class StaticTable {
  private readonly options: StaticTableOptions;
  /** Another map after each change. */
  entries: StaticEntries = new Map();
  private lookedAt = 0;
  private mark = '';
  /** Reason why the file was not read at the last check. */
  private problem: string | undefined;

  constructor(options: StaticTableOptions) {
    this.options = options;
  }

  get empty(): boolean {
    return this.entries.size === 0;
  }

  /** Once per batch or lookup. */
  refresh(now: number): void {
    if (now - this.lookedAt < LOOK_MS && now >= this.lookedAt) return;
    this.lookedAt = now;
    if (this.options.data !== null) this.look(this.options.data);
  }

  /** Target of an alias; null where the key is no alias's. */
  target(key: Uint32Array): Entry['target'] {
    const entry = find(this.entries, key);
    return entry === null ? null : entry.target;
  }

  /** Images of the AOR's static bindings; null where it has none. */
  images(key: Uint32Array): Uint8Array | null {
    const entry = find(this.entries, key);
    return entry === null || entry.images.length === 0 ? null : entry.images;
  }

  /** Whether the AOR's bindings are others than they were in `before`. @cold */
  hasChanged(key: Uint32Array, before: StaticEntries): boolean {
    const now = find(this.entries, key)?.images ?? NONE;
    const then = find(before, key)?.images ?? NONE;
    return Buffer.compare(now, then) !== 0;
  }

  /** Sets the content. @cold */
  set(content: StaticContent): void {
    const entries = new Map<number, Entry>();
    for (const [aor, contacts] of Object.entries(content.bindings)) this.add(entries, aor, null, contacts);
    for (const alias of Object.keys(content.aliases)) this.add(entries, alias, endOf(content.aliases, alias), []);
    this.entries = entries;
  }

  /** @cold */
  private add(
    entries: Map<number, Entry>,
    text: string,
    target: string | null,
    contacts: readonly StaticContact[],
  ): void {
    const key = this.options.aor(text)?.key.slice();
    const of = target === null ? undefined : this.options.aor(target);
    if (key === undefined || (target !== null && of === undefined)) return;
    entries.set(key[0], {
      key,
      target: of === undefined ? null : { key: of.key.slice(), text: of.text },
      images: Buffer.concat(contacts.map(imageOf)),
      next: entries.get(key[0]),
    });
  }

  /** Reads a changed or unreadable file. A problem is reported once, and again after it was solved in between. @cold */
  private look(data: string): void {
    const file = staticFile(data);
    let problem: string | undefined;
    try {
      const mark = nodeFiles.mark(file.path);
      if (mark === this.mark && this.problem === undefined) return;
      const found = findStatic(data);
      problem = found.problem && `${file.path} is damaged, its copy is used (${found.problem})`;
      const of = problem === undefined ? mark : nodeFiles.mark(file.copy);
      if (of !== this.mark) this.set(found.content);
      this.mark = of;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error); // the content read before stays in force
    }
    if (problem !== undefined && problem !== this.problem) this.options.failed(problem);
    this.problem = problem;
  }
}

function find(entries: StaticEntries, key: Uint32Array): Entry | null {
  let entry = entries.get(key[0]);
  while (entry !== undefined && !sameKey(entry.key, key)) entry = entry.next;
  return entry ?? null;
}

function sameKey(a: Uint32Array, b: Uint32Array): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** The AOR at the end of a chain of aliases; null for a circle. @cold */
function endOf(aliases: StaticContent['aliases'], alias: string): string | null {
  let aor = alias;
  for (let deep = 0; deep <= ALIASES_DEEP_MAX; deep++) {
    if (!Object.hasOwn(aliases, aor)) return aor;
    aor = aliases[aor];
  }
  return null;
}

/** @cold */
function imageOf({ uri, q, path = [] }: StaticContact): Buffer {
  const texts = [Buffer.from(uri), Buffer.from(path.join(', '))];
  const image = Buffer.alloc(TEXTS + texts[0].length + texts[1].length);
  setU16(image, LENGTH, image.length);
  setTime(image, EXPIRES_AT, FOR_EVER_MS);
  image[FLAGS] = IMAGE_STATIC;
  image[SOURCE_FAMILY] = 4;
  setU16(image, Q, Math.round((q ?? 1) * 1000));
  setU16(image, DISPLAY_LENGTH, 0);
  setU16(image, URI_LENGTH, texts[0].length);
  setU16(image, PATH_LENGTH, texts[1].length);
  Buffer.concat(texts).copy(image, TEXTS);
  return image;
}
