// A field of a CSV file that people open in spreadsheets: no part of it runs there as a formula, and reading it back gives the same
// text.

/**
 * Characters that make a cell a formula, in ASCII and in the form of East Asian keyboards, and those that spreadsheets drop before it.
 */
const FORMULA = "'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]";
/** A cell begins at the field's start, and after each character that some spreadsheets take for a delimiter. */
const BEGINNING = '(?<=^|[;,|\\t\\r\\n])';
const UNGUARDED = new RegExp(`${BEGINNING}(?=${FORMULA})`, 'g');
const GUARDED = new RegExp(`${BEGINNING}'(?=${FORMULA})`, 'g');

/** The field with an apostrophe before each possible formula, in quotes where it needs them. */
export function csvField(text: string): string {
  const safe = text.replace(UNGUARDED, "'");
  return /[",;|\t\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text of a field without those apostrophes. */
export function fromCsvField(field: string): string {
  return field.replace(GUARDED, '');
}
