// Dates without a zone, as in databases, and their offset from UTC by the command line.

/** Minutes east of UTC; this machine's where there is no text. Throws a RangeError. */
export function zoneOf(text: string | undefined): number {
  if (text === undefined) return -new Date().getTimezoneOffset();
  if (/^(z|utc)$/i.test(text)) return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  if (sign === undefined) throw new RangeError(`--timezone: expected +HH:MM, -HH:MM or Z, got "${text}"`);
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
}
