// Static bindings and aliases of a cluster: the file of each node is the same, whichever node's was changed. Each AOR's bindings, and each
// alias, have a version, and the greater one counts. A file beside the node's own holds the versions, and marks the changes not published
// yet.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { SmallFile } from '../../../location/files/small-file.ts';
import {
  changeStatic,
  readStatic,
  type StaticContact,
  type StaticContent,
} from '../../../shard/statics/static-file.ts';

const FILE = 'static-shared.json';
const STATIC_FILE = 'static.json';
/** Versions hold the node's number modulo this; numbers are below it. */
const NODES = 256;
const GONE = 'gone';

const Entry = z.strictObject({
  version: z.number(),
  /** The value as JSON; null: it is removed. */
  value: z.string().nullable(),
  untold: z.boolean(),
});
const State = z.strictObject({ sequence: z.number(), entries: z.record(z.string(), Entry) });
type State = z.infer<typeof State>;

/** A change of one entry, for the other nodes and from them. */
export interface SharedStatic {
  /** `bindings` or `alias`, a blank, the AOR. */
  readonly key: string;
  readonly version: number;
  readonly value: string | null;
}

export class SharedStatics {
  private readonly data: string;
  private readonly node: number;
  private readonly file: SmallFile<State>;
  private readonly isFirst: boolean;
  private state: State;
  private seen = '';

  /** @param node number of this one */
  constructor(data: string, node: number) {
    this.data = data;
    this.node = node;
    this.file = new SmallFile(join(data, FILE), { check: (content) => State.parse(content) });
    const found = this.file.read()?.content;
    this.isFirst = found === undefined;
    this.state = found ?? { sequence: 0, entries: {} };
  }

  /** Sequence of the last applied message of other nodes. */
  get sequence(): number {
    return this.state.sequence;
  }

  /** Changes made here and not published yet. */
  untold(): SharedStatic[] {
    this.look();
    return Object.entries(this.state.entries)
      .filter(([, { untold }]) => untold)
      .map(([key, { version, value }]) => ({ key, version, value }));
  }

  /** Other nodes know these changes. */
  told(changes: readonly SharedStatic[]): void {
    const entries = { ...this.state.entries };
    for (const { key, version } of changes)
      if (entries[key]?.version === version) entries[key] = { ...entries[key], untold: false };
    this.write({ ...this.state, entries });
  }

  /** The messages that published the entries are lost: all of them are published again. */
  tellAgain(): void {
    this.look();
    const entries = Object.entries(this.state.entries).map(([key, entry]) => [key, { ...entry, untold: true }]);
    this.write({ sequence: 0, entries: Object.fromEntries(entries) });
  }

  /** Applies changes of other nodes where they are newer. @param sequence up to which all messages are applied then */
  take(changes: readonly SharedStatic[], sequence: number): void {
    this.look(); // a change made here just now is a change of its own
    const entries = { ...this.state.entries };
    let isNews = sequence !== this.state.sequence;
    const newer = changes.filter(({ key, version, value }) => {
      const own = entries[key];
      if (own !== undefined && version <= own.version) {
        const untold = version < own.version; // the published value is older than the one here
        isNews ||= untold !== own.untold;
        entries[key] = { ...own, untold };
        return false;
      }
      entries[key] = { version, value, untold: false };
      return true;
    });
    if (newer.length === 0 && !isNews) return;
    // The file may have changed since the look: it is read again, as after any change.
    if (newer.length > 0) changeStatic(this.data, (content) => changed(content, newer));
    this.write({ sequence, entries });
  }

  /** Notices changes in the node's file. */
  private look(): void {
    const mark = this.mark();
    if (mark === this.seen) return;
    if (mark === GONE && this.putBack()) return;
    const there = entriesOf(readStatic(this.data));
    const entries = { ...this.state.entries };
    let isChanged = false;
    for (const key of new Set([...there.keys(), ...Object.keys(entries)])) {
      const [value, before] = [there.get(key) ?? null, entries[key]];
      if (value === (before?.value ?? null)) continue;
      entries[key] = { version: this.next(before?.version ?? 0), value, untold: true };
      isChanged = true;
    }
    if (isChanged) this.write({ ...this.state, entries });
    this.seen = mark;
  }

  /** A lost file must not remove all bindings on all nodes: it is written anew. */
  private putBack(): boolean {
    const entries = Object.entries(this.state.entries).map(([key, { version, value }]) => ({ key, version, value }));
    const live = entries.filter(({ value }) => value !== null);
    if (live.length === 0) return false;
    changeStatic(this.data, (content) => changed(content, live));
    return true;
  }

  /** Entries from before the sharing count less than any of another node. */
  private next(before: number): number {
    if (this.isFirst && this.seen === '') return NODES + this.node;
    return Math.max(Date.now(), Math.floor(before / NODES) + 1) * NODES + this.node;
  }

  private write(state: State): void {
    this.file.write(state);
    this.state = state;
  }

  private mark(): string {
    const found = statSync(join(this.data, STATIC_FILE), { throwIfNoEntry: false });
    return found === undefined ? GONE : `${found.ino} ${found.mtimeMs} ${found.size}`;
  }
}

function entriesOf({ bindings, aliases }: StaticContent): Map<string, string> {
  return new Map([
    ...Object.entries(bindings).map(([aor, contacts]): [string, string] => [
      `bindings ${aor}`,
      JSON.stringify(contacts),
    ]),
    ...Object.entries(aliases).map(([alias, aor]): [string, string] => [`alias ${alias}`, JSON.stringify(aor)]),
  ]);
}

function changed(content: StaticContent, changes: readonly SharedStatic[]): StaticContent {
  const bindings: Record<string, readonly StaticContact[]> = { ...content.bindings };
  const aliases: Record<string, string> = { ...content.aliases };
  for (const { key, value } of changes) {
    const [kind, aor] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    const table: Record<string, unknown> = kind === 'alias' ? aliases : bindings;
    if (value === null) delete table[aor];
    else table[aor] = JSON.parse(value);
  }
  return { bindings, aliases };
}
