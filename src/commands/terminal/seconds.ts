// Durations on the command line, in the configuration's notation.

import { exampleOf, parseQuantity } from '../../server/config/quantities.ts';
import { CommandError } from './command-action.ts';

/** Seconds; throws a CommandError that names the flag. */
export function secondsOf<T extends string | undefined>(
  flag: string,
  text: T,
): T extends string ? number : number | undefined;
export function secondsOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseQuantity(text, 'seconds');
  if (seconds === undefined)
    throw new CommandError(`${flag}: expected seconds, or ${exampleOf('seconds')}, got "${text}"`, 2);
  return seconds;
}
