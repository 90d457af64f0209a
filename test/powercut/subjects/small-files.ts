// The small files of a data directory: static bindings, numbers for connections, and the directory's own file.

import { existsSync } from 'node:fs';
import { bindingsIn, openDataDirectory } from '../../../src/server/data/data-directory.ts';
import { openFlowNumbers } from '../../../src/server/data/flow-numbers.ts';
import { addAlias, addBinding, removeAlias, removeBinding } from '../../../src/server/data/statics.ts';
import { changeStatic, readStatic } from '../../../src/shard/statics/static-file.ts';
import { Random } from '../../simulation/shards/random.ts';
import type { Content, Run, Subject } from '../subject.ts';

const AORS = 12;

/** Step n adds a binding or an alias, or takes one out that is there. */
function changeOf(
  seed: number,
  n: number,
  there: Content,
): { readonly key: string; readonly text: string | undefined } {
  const random = new Random(seed * 104_729 + n);
  const name = random.between(0, AORS - 1);
  const key = random.chance(0.7) ? `gateway${name}@example.com` : `alias${name}@example.com`;
  if (there.has(key)) return { key, text: undefined };
  return { key, text: key.startsWith('alias') ? 'pool@example.com' : `sip:gateway${n}@192.0.2.1` };
}

class StaticsRun implements Run {
  private readonly directory: string;
  private readonly seed: number;

  constructor(directory: string, seed: number) {
    this.directory = directory;
    this.seed = seed;
  }

  step(n: number): void {
    const { key, text } = changeOf(this.seed, n, this.content());
    if (key.startsWith('alias'))
      changeStatic(this.directory, text === undefined ? removeAlias(key) : addAlias(key, text));
    else changeStatic(this.directory, text === undefined ? removeBinding(key) : addBinding(key, { uri: text }));
  }

  content(): Content {
    const { bindings, aliases } = readStatic(this.directory);
    const uris = Object.entries(bindings).map(([aor, contacts]): [string, string] => [
      aor,
      contacts.map(({ uri }) => uri).join(),
    ]);
    return new Map([...uris, ...Object.entries(aliases)]);
  }

  close(): void {}
}

export const STATICS: Subject = {
  name: 'statics',
  shownStays: false,
  steps: 30,
  open: (directory, seed) => new StaticsRun(directory, seed),
  expected(seed, steps) {
    const content = new Map<string, string>();
    for (let n = 0; n < steps; n++) {
      const { key, text } = changeOf(seed, n, content);
      if (text === undefined) content.delete(key);
      else content.set(key, text);
    }
    return content;
  },
};

const RESERVED = 1 << 20;
const NUMBERS = 2 ** 32;

class FlowNumbersRun implements Run {
  private readonly numbers: ReturnType<typeof openFlowNumbers>;

  constructor(directory: string) {
    this.numbers = openFlowNumbers(directory, () => {});
  }

  step(): void {
    this.numbers.reserve();
  }

  content(): Content {
    return new Map([['first', String(this.numbers.first)]]);
  }

  close(): void {}
}

/** How far numbers were given out goes into no model: a life that begins tells where, and the next must begin behind it. */
export const FLOW_NUMBERS: Subject = {
  name: 'flow-numbers',
  steps: 20,
  open: (directory) => new FlowNumbersRun(directory),
  expected: () => new Map(),
  check(found, { before }) {
    if (before === undefined) return undefined;
    const begun = Number(before.content.get('first'));
    const ahead = (Number(found.get('first')) - begun + NUMBERS) % NUMBERS;
    const least = (before.steps + 1) * RESERVED; // the opening itself reserves
    return ahead < least ? `numbers begin ${ahead} behind ${begun}, of which ${least} were reserved` : undefined;
  },
};

class DataDirectoryRun implements Run {
  private readonly directory: string;
  private secret: string;

  constructor(directory: string) {
    this.directory = directory;
    this.secret = this.start(existsSync(directory) ? (bindingsIn(directory)?.shards ?? 1) : 1);
  }

  /** A start with another number of shards, as far as the directory's own files are concerned. */
  step(n: number): void {
    this.secret = this.start((n % 4) + 1);
  }

  content(): Content {
    return new Map([
      ['secret', this.secret],
      ['shards', String(bindingsIn(this.directory)?.shards)],
    ]);
  }

  close(): void {}

  private start(shards: number): string {
    const opened = openDataDirectory(this.directory, { shards });
    opened.move?.complete();
    opened.close();
    return Buffer.from(opened.secret).toString('hex');
  }
}

export const DATA_DIRECTORY: Subject = {
  name: 'data-directory',
  steps: 20,
  open: (directory) => new DataDirectoryRun(`${directory}/data`),
  expected: () => new Map(),
  check(found, { acknowledged, before }) {
    const allowed = [acknowledged, acknowledged + 1].map((steps) =>
      steps === 0 ? '1' : String(((steps - 1) % 4) + 1),
    );
    if (!allowed.includes(found.get('shards') ?? ''))
      return `${found.get('shards')} shards instead of ${allowed.join(' or ')}`;
    return before === undefined || before.content.get('secret') === found.get('secret') ? undefined : 'another secret';
  },
};
