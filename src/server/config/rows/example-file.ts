// A configuration file with every key in a comment, made from the rows.

import { stringify } from 'yaml';
import { DEFAULT_CONFIG } from '../config.ts';
import { CONFIG_ROWS } from './all-rows.ts';
import { baseOf, defaultOf, defaultText, plain } from './describe.ts';
import type { Node, Rows, Section } from './row.ts';

const WIDTH = 100;

/** A configuration file with every key, each with its sentence and its default, all of them comments. */
export function exampleFile(): string {
  const lines = [
    '## Configuration of Aorta: every key, with its default or an example. All are optional.',
    '## Durations and sizes may have a unit: 90s, 30m, 1h, 2d, 500ms; 64k, 16M, 1G.',
    '## `aorta check FILE` finds mistakes, `aorta config FILE` shows what is in force.',
    ...exampleOfSection(CONFIG_ROWS, DEFAULT_CONFIG, ''),
  ];
  return `${lines.join('\n')}\n`;
}

function exampleOfSection(section: Section<Rows, unknown>, base: object, indent: string): string[] {
  const own = baseOf(section, base);
  return Object.entries(section.keys).flatMap(([key, node]) => exampleOfNode(key, node, own, indent));
}

function exampleOfNode(key: string, node: Node, base: object, indent: string): string[] {
  if (node.is === 'section')
    return [
      ...(indent === '' ? [''] : []),
      ...comment(node.says, indent),
      `# ${indent}${key}:`,
      ...exampleOfSection(node, base, `${indent}  `),
    ];
  if (node.is === 'named')
    return [
      ...(indent === '' ? [''] : []),
      ...comment(node.list === undefined ? node.entry.says : `${node.list.says} A list of names will do, too.`, indent),
      `# ${indent}${key}:`,
      `# ${indent}  ${node.example}:`,
      ...exampleOfSection(node.entry, {}, `${indent}    `),
    ];
  const value = node.example ?? defaultOf(node, base) ?? null;
  return [
    ...(indent === '' ? [''] : []),
    ...comment(`${node.says} Default: ${defaultText(node, base)}.`, indent),
    ...stringify({ [key]: value }, { flowCollectionPadding: false, collectionStyle: 'flow', lineWidth: 0 })
      .trim()
      .replace(/^\{|\}$/g, '')
      .split('\n')
      .map((line) => `# ${indent}${line}`),
  ];
}

/** Lines of a comment with two marks each: a line with one mark is a key. */
function comment(text: string, indent: string): string[] {
  const lines = [''];
  for (const word of plain(text).split(' ')) {
    const line = lines[lines.length - 1];
    if (line !== '' && line.length + 1 + word.length > WIDTH - indent.length - '## '.length) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => `## ${indent}${line}`);
}
