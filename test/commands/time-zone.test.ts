// Dates of other registrars' tables have no zone: of a machine's own zone, summer and winter count by the date, not by today.

import { afterAll, describe, expect, it } from 'vitest';
import { dateIn, momentIn, zoneOf } from '../../src/commands/import/time-zone.ts';

describe('dates without a zone', () => {
  const before = process.env.TZ;

  afterAll(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  it.each([
    ['Europe/Berlin', '2026-07-01T12:00:00', '2026-07-01T10:00:00Z'],
    ['Europe/Berlin', '2026-12-01T12:00:00', '2026-12-01T11:00:00Z'],
    ['America/New_York', '2026-07-01T12:00:00', '2026-07-01T16:00:00Z'],
    ['Asia/Kolkata', '2026-07-01T12:00:00', '2026-07-01T06:30:00Z'],
  ])('are of this machine: in %s %s is %s', (zone, date, utc) => {
    process.env.TZ = zone;
    expect(momentIn(zoneOf(undefined), date)).toBe(Date.parse(utc));
    expect(dateIn(zoneOf(undefined), Date.parse(utc))).toBe(date);
  });

  it.each([
    ['+02:00', '2026-12-01T10:00:00Z'],
    ['-0330', '2026-12-01T15:30:00Z'],
    ['Z', '2026-12-01T12:00:00Z'],
  ])('are %s where that is said: %s', (text, utc) => {
    process.env.TZ = 'Europe/Berlin';
    expect(momentIn(zoneOf(text), '2026-12-01T12:00:00')).toBe(Date.parse(utc));
    expect(dateIn(zoneOf(text), Date.parse(utc))).toBe('2026-12-01T12:00:00');
  });

  it('have no zone by name', () => {
    expect(() => zoneOf('CET')).toThrow('expected +HH:MM, -HH:MM or Z, got "CET"');
  });
});
