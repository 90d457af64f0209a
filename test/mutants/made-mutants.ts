// Mutants made by rule from the text of a source file: a comparison flipped, "and" for "or", one not added, a condition that never or
// always holds, a statement left out. The formatter puts blanks around operators, so that no syntax has to be understood.

export interface MadeMutant {
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** Where `from` stands in the file. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

/** Pattern, and what is put in the place of what it finds. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ [+-] 1(?![\d.])/g, ''],
  [/(?<=\bif \()(?=.*\) (return|continue|break)\b.*;$)/g, 'false && '],
  [/(?<=[(\s])!(?=[a-z])/g, ''],
  [/\btrue(?=;$)/g, 'false'],
  [/\bfalse(?=;$)/g, 'true'],
  [
    /^ {4,}(?!return|throw|const|let|readonly|private|import|export|type|case)[\w.]+(\[.*?\])?(\(.*\)|\+\+|--| [-+|&]?= .*);$/g,
    '',
  ],
];

/** All there are, line by line. */
export function madeMutants(file: string, text: string): MadeMutant[] {
  const made: MadeMutant[] = [];
  let start = 0;
  for (const [i, line] of text.split('\n').entries()) {
    const isCode = !/^\s*(\/\/|\/?\*|import|export type|\w+,$)/.test(line) && !/^\s+(readonly|private) /.test(line);
    for (const [pattern, to] of isCode ? RULES : [])
      for (const found of line.matchAll(pattern))
        made.push({ file, line: i + 1, at: start + found.index, from: found[0], to });
    start += line.length + 1;
  }
  return made;
}
