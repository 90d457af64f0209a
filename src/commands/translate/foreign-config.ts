// The settings in a kamailio.cfg or an opensips.cfg: parameters of the core and of modules, with their lines. Definitions are
// applied, routes are ignored.

export interface ForeignSetting {
  /** Number of the line, from 1. */
  readonly line: number;
  /** The file of the line, where it is not the main one. */
  readonly file?: string;
  /** The only domain that it applies to. */
  readonly domain?: string;
  /** `module.parameter`, or the name of a parameter of the core. */
  readonly name: string;
  readonly value: string;
}

export interface ForeignConfig {
  readonly settings: readonly ForeignSetting[];
  /** Loaded modules, without `.so`. */
  readonly modules: readonly string[];
  /** Included files, which are not read. */
  readonly includes: readonly { readonly line: number; readonly file: string }[];
}

const STRING = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const MODPARAM = new RegExp(
  String.raw`\bmodparam(?:x)?\s*\(\s*(${STRING})\s*,\s*(${STRING})\s*,\s*(${STRING}|[^)\s]+)\s*\)`,
  'g',
);
const CORE = new RegExp(String.raw`^\s*([a-z]\w*)\s*=\s*(${STRING}|[^\s;]+)(.*)$`);

export function readForeignConfig(text: string): ForeignConfig {
  const lines = withDefinitions(withoutComments(text).split(/\r?\n/));
  const settings: ForeignSetting[] = [];
  const whole = lines.join('\n');
  for (const match of whole.matchAll(MODPARAM)) {
    const line = whole.slice(0, match.index).split('\n').length;
    const [modules, parameter, value] = match.slice(1, 4).map(unquoted);
    for (const module of modules.split('|')) settings.push({ line, name: `${module}.${parameter}`, value });
  }
  const includes: { line: number; file: string }[] = [];
  let depth = 0;
  for (const [n, line] of lines.entries()) {
    const [, name, value, rest] = (depth === 0 && CORE.exec(line)) || [];
    if (name !== undefined) {
      const more = /^['"]/.test(value) ? '' : rest.replace(/;\s*$/, ''); // "advertise …" after an address
      settings.push({ line: n + 1, name, value: unquoted(value) + more });
    }
    const [, file] = /^\s*(?:include_file|import_file)\s+["']([^"']+)/.exec(line) ?? [];
    if (file !== undefined) includes.push({ line: n + 1, file });
    depth += braces(line);
  }
  const modules = [...whole.matchAll(/^\s*loadmodule\s+["'](?:[^"']*\/)?([^"'/]+?)(?:\.so)?["']/gm)].map(
    ([, name]) => name,
  );
  return { settings: settings.sort((a, b) => a.line - b.line), modules, includes };
}

/** Replaces comments by blanks; directives, which begin like one, stay. */
function withoutComments(text: string): string {
  const pattern = new RegExp(String.raw`${STRING}|/\*[\s\S]*?\*/|//[^\n]*|#(?!!)[^\n]*`, 'g');
  return text.replace(pattern, (found) => (/^["']/.test(found) ? found : found.replace(/[^\n]/g, ' ')));
}

/** Lines in force, with the values of definitions; the others are empty. */
function withDefinitions(lines: readonly string[]): string[] {
  const defined = new Map<string, string>();
  const live: boolean[] = [];
  return lines.map((line) => {
    const [, directive, rest = ''] = /^\s*[#!]!(\w+)\s*(.*)$/.exec(line) ?? [];
    const isLive = live.every((one) => one);
    if (directive === 'ifdef') live.push(defined.has(rest.trim()));
    else if (directive === 'ifndef') live.push(!defined.has(rest.trim()));
    else if (directive === 'ifexp') live.push(true);
    else if (directive === 'else') live.push(!live.pop());
    else if (directive === 'endif') live.pop();
    else if (directive !== undefined && isLive) define(directive, rest, defined);
    return directive === undefined && isLive ? substituted(line, defined) : '';
  });
}

function define(directive: string, rest: string, defined: Map<string, string>): void {
  const [, name, value = ''] = /^(\w+)\s*(.*)$/.exec(rest) ?? [];
  if (['define', 'trydef', 'redefine'].includes(directive) && name !== undefined) defined.set(name, value.trim());
  if (directive !== 'substdef' && directive !== 'substdefs' && directive !== 'subst') return;
  const text = unquoted(rest.trim()); // !NAME!value!g with any delimiter
  const [, key, substitute] = text.split(text[0] ?? '!');
  if (key !== undefined && substitute !== undefined) defined.set(key, substitute);
}

/** Replaces whole words, inside of strings as well. */
function substituted(line: string, defined: ReadonlyMap<string, string>): string {
  return line.replace(/\b[A-Za-z_]\w*\b/g, (word) => {
    const value = defined.get(word);
    return value === undefined || value === '' ? word : value;
  });
}

function unquoted(text: string): string {
  return /^(["'])[\s\S]*\1$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

function braces(line: string): number {
  const code = line.replace(new RegExp(STRING, 'g'), '');
  return (code.match(/\{/g)?.length ?? 0) - (code.match(/\}/g)?.length ?? 0);
}
