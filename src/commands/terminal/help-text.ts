// Text after the help of a command: prose, and the command's own examples, in 80 columns.

import type { Command } from 'commander';

export const HELP_COLUMNS = 80;
const TITLE = 'Examples:';

/**
 * For `addHelpText`: prose and examples. An example is a line indented by two spaces, followed by explanations indented by six. A
 * command of a group shows only its own examples.
 */
export function examples(text: string): (context: { readonly command: Command }) => string {
  return ({ command }) => helpText(text, pathOf(command), command.commands.length > 0);
}

/** @param path of the command, without the program's name @param isGroup whether it has commands of its own */
function helpText(text: string, path: string, isGroup: boolean): string {
  const [before, rest = ''] = text.split(`${TITLE}\n`);
  const [listed, ...after] = rest.split('\n\n');
  const own = entriesOf(listed).filter(([line]) => isGroup || new RegExp(`\\baorta ${path}(?![\\w-])`).test(line));
  const paragraphs = [before, ...(isGroup ? after : [])].flatMap((part) => part.split('\n\n')).map(wrapped);
  const shown = own.flatMap((entry) => entry.flatMap((line, i) => (i === 0 ? commandLines(line) : wordsOf(line))));
  const first = paragraphs.slice(0, 1);
  return [...first, shown.length === 0 ? '' : [TITLE, ...shown].join('\n'), ...paragraphs.slice(1)]
    .filter((part) => part !== '')
    .map((part) => `\n${part}\n`)
    .join('');
}

function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

/** Examples, each with its explanation. */
function entriesOf(listed: string): string[][] {
  const entries: string[][] = [];
  for (const line of listed.split('\n').filter((one) => one.trim() !== '')) {
    if (/^ {2}\S/.test(line)) entries.push([line]);
    else entries.at(-1)?.push(line);
  }
  return entries;
}

function wrapped(paragraph: string): string {
  const words = paragraph.split(/\s+/).filter((word) => word !== '');
  return filled(words, '', '').join('\n');
}

function wordsOf(line: string): string[] {
  return filled(line.trim().split(/\s+/), '      ', '      ');
}

/** A command that is too long continues after a backslash, so that a shell reads both lines. */
function commandLines(line: string): string[] {
  const lines = filled(line.trim().split(' '), '  ', '      ', HELP_COLUMNS - ' \\'.length);
  return lines.map((one, i) => (i < lines.length - 1 ? `${one} \\` : one));
}

function filled(words: readonly string[], first: string, next: string, columns = HELP_COLUMNS): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const indent = lines.length === 0 ? first : next;
    if (line !== '' && `${indent}${line} ${word}`.length > columns) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, (lines.length === 0 ? first : next) + line];
}
