// The source as text for rules about it: files, imports, and code with its comments and strings blanked out.
// A small scanner over formatted TypeScript, not a parser: it relies on what the formatter guarantees.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Import {
  readonly line: number;
  /** As written. */
  readonly specifier: string;
  /** Path from the root for a relative one, else undefined. */
  readonly target: string | undefined;
  readonly reExport: boolean;
  /** Types alone: nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

export interface FunctionRange {
  readonly name: string;
  /** Line numbers, from 1: the first of the head, the one whose "{" opens the body, the one with its "}". */
  readonly first: number;
  readonly open: number;
  readonly last: number;
  /** The comment right above it. */
  readonly comment: string;
}

export interface SourceFile {
  /** From the root, with "/". */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The same lines with comments and the insides of strings blanked; a regular expression is one REGEX mark. */
  readonly code: readonly string[];
  readonly imports: readonly Import[];
}

/** Stands for a regular expression literal in `code`. */
export const REGEX = '\u0001';

/** Files below a folder whose names end so, as paths from the root. */
export function listFiles(folder: string, ...endings: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

export function readSource(path: string): SourceFile {
  return parseSource(path, readFileSync(join(ROOT, path), 'utf8'));
}

export function parseSource(path: string, text: string): SourceFile {
  return { path, text, lines: text.split('\n'), code: blank(text).split('\n'), imports: findImports(path, text) };
}

const IMPORT = /^(import|export)\b( type)?(?:[^;'"`]*?\bfrom)?\s*'([^']+)';/gm;
/** Loaded when it is needed, or named as a type. */
const LATER = /(typeof )?\bimport\('([^']+)'\)/g;

function findImports(path: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (offset: number, specifier: string, reExport: boolean, typeOnly: boolean) => {
    const target = specifier.startsWith('.') ? join(dirname(path), specifier).replaceAll('\\', '/') : undefined;
    found.push({ line: text.slice(0, offset).split('\n').length, specifier, target, reExport, typeOnly });
  };
  for (const match of text.matchAll(IMPORT)) {
    add(match.index, match[3], match[1] === 'export', match[2] !== undefined);
  }
  for (const match of text.matchAll(LATER)) add(match.index, match[2], false, match[1] !== undefined);
  return found;
}

const BEFORE_REGEX = /(^|[=(,:[!&|?{};<>+~]|\breturn|\btypeof|\bcase|\bin|\bof)\s*$/;

/** Replaces comments, strings and regular expressions, keeping line breaks and columns of the rest. */
function blank(text: string): string {
  let out = '';
  let at = 0;
  /** For each open template: how many braces are open inside its `${`. */
  const templates: number[] = [];
  const skip = (end: number, keep = '') => {
    out += keep + text.slice(at + keep.length, end).replace(/[^\n]/g, ' ');
    at = end;
  };
  const templateText = () => {
    while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) skip(at + (text[at] === '\\' ? 2 : 1));
    if (text[at] === '`') {
      templates.pop();
      out += '`';
      at += 1;
    } else {
      out += '${';
      at += 2;
    }
  };
  while (at < text.length) {
    const c = text[at];
    if (text.startsWith('//', at)) skip(endOf(text, '\n', at, 0));
    else if (text.startsWith('/*', at)) skip(endOf(text, '*/', at + 2, 2));
    else if (c === "'" || c === '"') skip(quotedEnd(text, at), c);
    else if (c === '/' && BEFORE_REGEX.test(out.slice(-40))) skip(regexEnd(text, at), REGEX);
    else if (c === '`') {
      templates.push(0);
      out += c;
      at += 1;
      templateText();
    } else if (c === '}' && templates.length > 0 && templates[templates.length - 1] === 0) {
      out += c;
      at += 1;
      templateText();
    } else {
      if (templates.length > 0 && c === '{') templates[templates.length - 1]++;
      if (templates.length > 0 && c === '}') templates[templates.length - 1]--;
      out += c;
      at += 1;
    }
  }
  return out;
}

function endOf(text: string, mark: string, from: number, length: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + length;
}

function quotedEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text[end] !== text[at] && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
  return end + 1;
}

function regexEnd(text: string, at: number): number {
  let end = at + 1;
  let inClass = false;
  while (end < text.length && (inClass || text[end] !== '/') && text[end] !== '\n') {
    if (text[end] === '[') inClass = true;
    if (text[end] === ']') inClass = false;
    end += text[end] === '\\' ? 2 : 1;
  }
  end += 1;
  while (/[a-z]/.test(text[end] ?? '')) end++;
  return end;
}

const FUNCTION = /^(\s*)(?:export )?(?:default )?(?:async )?function\b\*?\s*([\w$]*)/;
const METHOD =
  /^( {2})(?:(?:public|private|protected|static|override|async|get|set) )*\*?(?!(?:if|for|while|switch|catch|return|do)\b)([\w$#]+)(?:<[^(]*>)?\(/;
const ARROW =
  /^(\s*)(?:export )?const ([\w$]+)\b.* = (?:async )?(?:<[^(]*>)?\(?[^=]*$|^(\s*)(?:export )?const ([\w$]+)\b.*=> \{$/;

/** Functions, methods and named arrow functions with a body of several lines. */
export function findFunctions(file: SourceFile): FunctionRange[] {
  const { code } = file;
  const found: FunctionRange[] = [];
  for (let i = 0; i < code.length; i++) {
    const match = FUNCTION.exec(code[i]) ?? METHOD.exec(code[i]) ?? ARROW.exec(code[i]);
    if (match === null) continue;
    const indent = match[1] ?? match[3] ?? '';
    const open = bodyStart(code, i, indent, !FUNCTION.test(code[i]) && !METHOD.test(code[i]));
    if (open < 0) continue;
    let last = open + 1;
    while (last < code.length && !code[last].startsWith(`${indent}}`)) last++;
    found.push({
      name: match[2] || match[4] || '(unnamed)',
      first: i + 1,
      open: open + 1,
      last: last + 1,
      comment: commentAbove(file.lines, i),
    });
  }
  return found;
}

export interface ClassRange {
  readonly name: string;
  /** From 1. */
  readonly line: number;
  readonly fields: number;
}

const CLASS = /^(?:export )?(?:abstract )?class (\w+)/;
const FIELD = /^ {2}(?:(?:private|protected|readonly|static|declare|override) )*#?\w+[?!]?(?::| =|;)/;

/** Classes with the number of their fields. */
export function findClasses({ code }: SourceFile): ClassRange[] {
  return code.flatMap((head, i) => {
    const name = CLASS.exec(head)?.[1];
    if (name === undefined) return [];
    const end = head.trimEnd().endsWith('}') ? i : code.indexOf('}', i);
    return [{ name, line: i + 1, fields: code.slice(i + 1, end).filter((line) => FIELD.test(line)).length }];
  });
}

/** The line whose "{" opens the body of the head that starts at `first`, or -1 where there is no such body. */
function bodyStart(code: readonly string[], first: number, indent: string, arrow: boolean): number {
  for (let i = first; i < Math.min(code.length, first + 40); i++) {
    const own = i === first || code[i].startsWith(`${indent})`) || code[i].startsWith(`${indent}}`);
    if (own && code[i].trimEnd().endsWith('{') && (!arrow || code[i].includes('=> {'))) return i;
    if (own && /[;}]$/.test(code[i].trimEnd())) return -1;
    if (arrow && i > first + 12) return -1;
  }
  return -1;
}

function commentAbove(lines: readonly string[], at: number): string {
  let first = at;
  while (first > 0 && /^\s*(\/\/|\/?\*)/.test(lines[first - 1])) first--;
  return lines.slice(first, at).join('\n');
}
