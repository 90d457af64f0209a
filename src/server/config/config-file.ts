// A configuration file in YAML as a ConfigSource: every value knows its line and column. rows/ defines the meaning of
// values.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { fileFault } from '../process/file-fault.ts';
import { ConfigError, type ConfigSource, spellAsFile } from './config-problem.ts';
import { CONFIG_ROWS } from './rows/all-rows.ts';
import type { Rows, Section } from './rows/row.ts';

/** Reads a file. Throws a ConfigError: `FILE:LINE:COLUMN: …` for every problem of YAML itself. */
export function readConfigFile(file: string): ConfigSource {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: ${fileFault(error)}`]);
  }
  return parseConfig(text, file);
}

/** @param file names the text in messages; a relative data directory in the text is relative to the file's own */
function parseConfig(text: string, file: string): ConfigSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const excerpt = (offset: number): string | undefined => excerptOf(text, lines.linePos(offset));
  const faults = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (faults.length > 0) {
    throw new ConfigError(
      faults.map((fault) => `${position(fault.pos[0])}: ${textOf(fault)}`),
      faults.map((fault) => excerpt(fault.pos[0])),
    );
  }
  const values = valuesOf(document, position);
  if (!isSection(values)) {
    throw new ConfigError([
      `${position(document.contents?.range?.[0] ?? 0)}: expected keys and values, such as "data: ./data"`,
    ]);
  }
  return {
    values: withPaths(CONFIG_ROWS, values, dirname(file)),
    spell: spellAsFile,
    where: (path, unknownKey = false) => {
      const order = offsetOf(document, path, unknownKey);
      const name = path.filter((part) => typeof part !== 'number').join('.');
      const shown = excerpt(order);
      return { name: `${position(order)}: ${name}`, order, ...(shown !== undefined && { excerpt: shown }) };
    },
  };
}

/** The YAML library's messages for programs do not help the editor of a file. */
function textOf({ code, message }: YAMLError): string {
  return code === 'MULTIPLE_DOCS' ? 'a second document begins here, and a file has one' : message.split('\n')[0];
}

/** Lines with secrets in them are not shown. */
const SECRET = /auth-key|headers|authorization|bearer|password|secret|:\/\/.*@/i;
const EXCERPT_CHARS = 160;

/** `  3 | min-expires: soon` with a mark below the place. */
function excerptOf(text: string, { line, col }: { line: number; col: number }): string | undefined {
  const content = (text.split('\n')[line - 1] ?? '').trimEnd();
  if (SECRET.test(content) || content.length > EXCERPT_CHARS) return undefined;
  const shown = content.replaceAll('\t', ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
  const number = `${line} | `.padStart(7);
  return `${number}${shown}\n${' '.repeat(number.length + col - 1)}^`;
}

/** Files and directories named by the values, relative to the configuration file's directory. */
function withPaths({ keys }: Section<Rows, unknown>, values: object, directory: string): Record<string, unknown> {
  const entries = Object.entries(values).map(([key, value]) => {
    const node = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (node?.is === 'row')
      return [key, node.kind.isFile && typeof value === 'string' && value !== '' ? resolve(directory, value) : value];
    if (node === undefined || !isSection(value)) return [key, value];
    if (node.is === 'section') return [key, withPaths(node, value, directory)];
    const named = Object.entries(value).map(([name, entry]) => [
      name,
      isSection(entry) ? withPaths(node.entry, entry, directory) : entry,
    ]);
    return [key, Object.fromEntries(named)];
  });
  return Object.fromEntries(entries);
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The document as plain values. Only here an alias is found whose anchor is missing, or that expands too far. */
function valuesOf(document: Document.Parsed, position: (offset: number) => string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    let offset = 0;
    visit(document, {
      Alias: (_key, alias) => {
        offset = alias.range?.[0] ?? 0;
        return alias.resolve(document) === undefined ? visit.BREAK : undefined;
      },
    });
    throw new ConfigError([`${position(offset)}: ${(error as Error).message}`]);
  }
}

/** Offset of the value at a path (of its key, for an unknown one), or of the nearest value around it. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], key: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === path[length - 1])
      : undefined;
    if (!key && isNode(node) && node.range) return node.range[0];
    if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
