// Writes the Date header's value: an RFC 1123 date in GMT (RFC 3261 §20.17), from a given time. No clock is
// read, and no date is parsed (a registrar needs none).
// @hot

import { ascii } from './writer.ts';

/** "Sat, 13 Nov 2010 23:29:00 GMT" */
const text = ascii('Thu, 01 Jan 1970 00:00:00 GMT');
const days = ascii('ThuFriSatSunMonTueWed'); // 1970-01-01 was a Thursday
const months = ascii('JanFebMarAprMayJunJulAugSepOctNovDec');
const SECONDS_PER_DAY = 86_400;

/** Writes the date of an epoch time in milliseconds (from 1970 to 9999) at into[at …], 29 bytes. */
export function writeDate(epochMs: number, into: Uint8Array, at: number): void {
  render(Math.floor(epochMs / 1000));
  into.set(text, at);
}

function render(second: number): void {
  const day = Math.floor(second / SECONDS_PER_DAY);
  const time = second - day * SECONDS_PER_DAY;
  copyThree(days, ((day % 7) + 7) % 7, 0);
  renderDay(day);
  twoDigits(17, Math.floor(time / 3600));
  twoDigits(20, Math.floor(time / 60) % 60);
  twoDigits(23, time % 60);
}

/** Day of the Gregorian calendar, counted in eras of 400 years that start on 1 March, so that leap days come last. */
function renderDay(day: number): void {
  const shifted = day + 719_468; // days since 0000-03-01
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = (fromMarch + 2) % 12;
  const year = era * 400 + yearOfEra + (month < 2 ? 1 : 0);
  twoDigits(5, dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1);
  copyThree(months, month, 8);
  twoDigits(12, Math.floor(year / 100));
  twoDigits(14, year % 100);
}

function twoDigits(at: number, value: number): void {
  text[at] = 0x30 + Math.floor(value / 10);
  text[at + 1] = 0x30 + (value % 10);
}

function copyThree(from: Uint8Array, index: number, at: number): void {
  for (let i = 0; i < 3; i++) text[at + i] = from[index * 3 + i];
}
