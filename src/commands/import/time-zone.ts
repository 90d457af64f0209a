// Dates without a zone, as in databases, and their offset from UTC by the command line.

/** Minutes east of UTC; undefined without a text: the machine's zone, whose offset depends on the date. Throws a RangeError. */
export function zoneOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^(z|utc)$/i.test(text)) return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  if (sign === undefined) throw new RangeError(`--timezone: expected +HH:MM, -HH:MM or Z, got "${text}"`);
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
}

/** Epoch ms. @param date as 2026-07-01T12:00:00 @param zone as zoneOf's */
export function momentIn(zone: number | undefined, date: string): number {
  return zone === undefined ? Date.parse(date) : Date.parse(`${date}Z`) - zone * 60_000;
}

/** The reverse of momentIn. @param ms since 1970 */
export function dateIn(zone: number | undefined, ms: number): string {
  const minutes = zone ?? -new Date(ms).getTimezoneOffset();
  return new Date(ms + minutes * 60_000).toISOString().slice(0, 19);
}
