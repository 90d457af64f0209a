// The command line of a tool that takes numbers and nothing else.

/** The numbers. Where help is asked for, or a word is no number, prints the help and ends. */
export function numberWords(help: string): number[] {
  const words = process.argv.slice(2);
  const wantsHelp = words.includes('--help');
  const numbers = words.map(Number);
  if (!wantsHelp && !numbers.some(Number.isNaN)) return numbers;
  (wantsHelp ? process.stdout : process.stderr).write(help);
  process.exit(wantsHelp ? 0 : 2);
}
