// A field of a CSV file that people open in spreadsheets: none of it is run there as a formula, and reading it back gives the same text.

/** What makes a cell a formula, in ASCII and as East Asian keyboards write it, and what spreadsheets drop before it. */
const FORMULA = "'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]";
/** A cell begins with the field, and behind what some spreadsheets take for a delimiter. */
const BEGINNING = '(?<=^|[;,|\\t\\r\\n])';
const UNGUARDED = new RegExp(`${BEGINNING}(?=${FORMULA})`, 'g');
const GUARDED = new RegExp(`${BEGINNING}'(?=${FORMULA})`, 'g');

/** With an apostrophe before whatever would be a formula, in quotes where it needs them. */
export function csvField(text: string): string {
  const safe = text.replace(UNGUARDED, "'");
  return /[",;|\t\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text of a field without those apostrophes. */
export function fromCsvField(field: string): string {
  return field.replace(GUARDED, '');
}
