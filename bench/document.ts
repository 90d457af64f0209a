// The document of results: each question's tables stand between two markers, and nothing else of it is touched.

/** Puts `text` between the markers of `name`; at the end, under a heading, where there are none yet. */
export function withResults(document: string, name: string, text: string): string {
  const [begin, end] = marks(name);
  const from = document.indexOf(begin);
  const section = `${begin}\n\n${text.trim()}\n\n${end}`;
  if (from < 0) return `${document.trimEnd()}\n\n## ${name}\n\n${section}\n`;
  const to = document.indexOf(end, from);
  if (to < 0) throw new Error(`the document has no "${end}"`);
  return document.slice(0, from) + section + document.slice(to + end.length);
}

/** What stands between the markers of `name`; nothing where there are none. */
export function resultsIn(document: string, name: string): string {
  const [begin, end] = marks(name);
  const from = document.indexOf(begin);
  return from < 0 ? '' : document.slice(from + begin.length, document.indexOf(end, from));
}

function marks(name: string): [begin: string, end: string] {
  return [`<!-- results: ${name} -->`, `<!-- end: ${name} -->`];
}
