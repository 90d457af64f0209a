// The scanner that the rules stand on: what it blanks, and which functions it finds.

import { describe, expect, it } from 'vitest';
import { findClasses, findFunctions, parseSource, REGEX } from './source.ts';

const code = (text: string) => parseSource('src/sip/x.ts', text).code.join('\n');

describe('code without comments and strings', () => {
  it.each([
    ["const a = 'it // is'; // b", "const a = ' ; "],
    ["f('a\\'b', \"c\");", 'f(\' , " );'],
    ['/* a\n b */ c', ' \n c'],
    ['const r = /a[/]b\\/c/gi.test(x) / 2 / 3;', `const r = ${REGEX} .test(x) / 2 / 3;`],
    ['x = `a ${b + `c ${d}`} e`;', 'x = ` ${b + ` ${d}`} `;'],
    ['x = `${f({ a: 1 })}` + y;', 'x = `${f({ a: 1 })}` + y;'],
  ])('%j', (text, left) => {
    expect(code(text).replace(/ +/g, ' ')).toBe(left);
    expect(code(text).length).toBe(text.length);
  });
});

describe('functions', () => {
  it('are found with their bounds and comments, whatever their form', () => {
    const file = parseSource(
      'src/sip/x.ts',
      `export function one(a: number): void {
  if (a) {
    two();
  }
}

/** Rare. @cold */
async function two(
  b: string,
): Promise<void> {
  await b;
}

class C {
  private readonly x = 1;

  constructor() {
    this.x = 2;
  }

  get y(): number {
    for (;;) {
      return 1;
    }
  }

  private async z<T>(t: T): Promise<void> {
    if (t) return;
  }
}

interface I {
  method(a: number): void;
}

const arrow = (q: number) => {
  return q;
};

export const short = (q: number) => q;
`,
    );
    expect(findFunctions(file).map(({ name, first, open, last }) => [name, first, open, last])).toEqual([
      ['one', 1, 1, 5],
      ['two', 8, 10, 12],
      ['constructor', 17, 17, 19],
      ['y', 21, 21, 25],
      ['z', 27, 27, 29],
      ['arrow', 36, 36, 38],
    ]);
    expect(findFunctions(file)[1].comment).toContain('@cold');
  });
});

describe('classes', () => {
  it('are found with their fields, which parameters and locals are not', () => {
    const file = parseSource(
      'src/sip/x.ts',
      `export class C<T> extends D {
  private readonly a = 1;
  b?: string;
  #c: T;
  static d = 2;

  constructor(private e: number) {
    const f = 3;
  }

  g(
    h: number,
  ): void {}
}

class E {}
`,
    );
    expect(findClasses(file).map(({ name, line, fields }) => [name, line, fields])).toEqual([
      ['C', 1, 4],
      ['E', 16, 0],
    ]);
  });
});

describe('imports', () => {
  it('are found with their kind', () => {
    const file = parseSource(
      'src/shard/x.ts',
      `import { a } from '../sip/a.ts';
import type {
  B,
} from './b.ts';
import 'koffi';
export * from './c.ts';
`,
    );
    expect(
      file.imports.map(({ line, specifier, target, reExport, typeOnly }) => [
        line,
        specifier,
        target,
        reExport,
        typeOnly,
      ]),
    ).toEqual([
      [1, '../sip/a.ts', 'src/sip/a.ts', false, false],
      [2, './b.ts', 'src/shard/b.ts', false, true],
      [5, 'koffi', undefined, false, false],
      [6, './c.ts', 'src/shard/c.ts', true, false],
    ]);
  });
});
