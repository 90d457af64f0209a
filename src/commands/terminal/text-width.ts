// Text in columns of a terminal: a character may take none, one or two of them.

import stringWidth from 'string-width';

const segmenter = new Intl.Segmenter();
const PLAIN = /^[\x20-\x7e]*$/;

/** Width of the text in columns. */
export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** At most so many columns of the text; an ellipsis replaces the rest. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns <= 0) return '';
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    width += widthOf(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** The text in exactly so many columns. */
export function toWidth(text: string, columns: number, isRight = false): string {
  const shown = cut(text, columns);
  const space = ' '.repeat(Math.max(0, columns - widthOf(shown)));
  return isRight ? space + shown : shown + space;
}

/** Lines of at most so many columns, broken between words; a longer word stays whole. */
export function wordLines(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(`${line} ${word}`) > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
