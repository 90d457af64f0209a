// A configuration file in YAML as a ConfigSource: every value knows its line and column.
// What the values mean is config.ts.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { ConfigError, type ConfigSource, spellAsFile } from './config-problem.ts';

/** Reads a file. Throws a ConfigError: `FILE:LINE:COLUMN: …` for every problem of YAML itself. */
export function readConfigFile(file: string): ConfigSource {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${file}: ${code === 'ENOENT' ? 'no such file' : message}`]);
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
      faults.map((fault) => `${position(fault.pos[0])}: ${fault.message.split('\n')[0]}`),
      faults.map((fault) => excerpt(fault.pos[0])),
    );
  }
  const values = valuesOf(document, position);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ConfigError([
      `${position(document.contents?.range?.[0] ?? 0)}: expected keys and values, such as "data: ./data"`,
    ]);
  }
  return {
    values: withPaths(values as Record<string, unknown>, dirname(file)),
    spell: spellAsFile,
    where: (path, unknownKey = false) => {
      const order = offsetOf(document, path, unknownKey);
      const name = path.filter((part) => typeof part !== 'number').join('.');
      const shown = excerpt(order);
      return { name: `${position(order)}: ${name}`, order, ...(shown !== undefined && { excerpt: shown }) };
    },
  };
}

/** Lines with secrets in them are not shown. */
const SECRET = /auth-key|headers|authorization|bearer|password|secret/i;
const EXCERPT_CHARS = 160;

/** `  3 | min-expires: soon` with a mark below the place. */
function excerptOf(text: string, { line, col }: { line: number; col: number }): string | undefined {
  const content = (text.split('\n')[line - 1] ?? '').trimEnd();
  if (SECRET.test(content) || content.length > EXCERPT_CHARS) return undefined;
  const shown = content.replaceAll('\t', ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
  const number = `${line} | `.padStart(7);
  return `${number}${shown}\n${' '.repeat(number.length + col - 1)}^`;
}

/** Files and directories that the values name, from where the configuration file lies. */
function withPaths(values: Record<string, unknown>, directory: string): Record<string, unknown> {
  const path = (value: unknown) => (typeof value === 'string' && value !== '' ? resolve(directory, value) : value);
  const all = { ...values };
  if ('data' in all) all.data = path(all.data);
  const { admin, tls } = all;
  if (typeof admin === 'object' && admin !== null && !Array.isArray(admin))
    all.admin = withPathsOf(admin, ADMIN_FILES, path);
  if (typeof tls === 'object' && tls !== null && !Array.isArray(tls))
    all.tls = withTlsPaths(tls as Record<string, unknown>, path);
  return all;
}

const ADMIN_FILES = ['certificate', 'key'];
const TLS_FILES = ['cert', 'key', 'ca'];

function withPathsOf(section: object, files: readonly string[], path: (value: unknown) => unknown): object {
  return Object.fromEntries(
    Object.entries(section).map(([key, value]) => [key, files.includes(key) ? path(value) : value]),
  );
}

function withTlsPaths(tls: Record<string, unknown>, path: (value: unknown) => unknown): Record<string, unknown> {
  const entries = Object.entries(tls).map(([key, value]) => {
    if (key !== 'domains' || typeof value !== 'object' || value === null)
      return [key, TLS_FILES.includes(key) ? path(value) : value];
    const domains = Object.entries(value).map(([name, files]) => {
      const isSection = typeof files === 'object' && files !== null;
      return [name, isSection ? withTlsPaths(files as Record<string, unknown>, path) : files];
    });
    return [key, Object.fromEntries(domains)];
  });
  return Object.fromEntries(entries);
}

/** The document as plain values. An alias that names nothing, or names too much, is found only here. */
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

/** Offset of the value at a path (of its key, for an unknown one), or of the nearest thing around it. */
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
