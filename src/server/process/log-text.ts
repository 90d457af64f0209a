// The log for people: `05:47:40 warn  source refused  source=192.0.2.1`. Values are quoted where they could be taken for several; no
// value from a phone can move the cursor or begin a line.

import { escapeUnseen } from '../../sip/shown-text.ts';

export interface TextStyle {
  /** Whether levels and names of fields have colours. */
  readonly colors: boolean;
  /** With the date, in UTC, for files; else only the local time, for a person at a terminal. */
  readonly dated: boolean;
}

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const BOLD = '\u001b[1m';
const LEVEL_COLORS: Readonly<Record<string, string>> = {
  trace: DIM,
  debug: DIM,
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[1;31m',
};
const LEVEL_WIDTH = 5;

/** @param json one line of the log in JSON */
export function logText(json: string, { colors, dated }: TextStyle): string {
  const { level, time, event, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const paint = (color: string, text: string) => (colors && color !== '' ? `${color}${text}${RESET}` : text);
  const name = String(level);
  const parts = [
    paint(DIM, clock(String(time), dated)),
    paint(LEVEL_COLORS[name] ?? '', name.padEnd(LEVEL_WIDTH)),
    paint(name === 'info' ? '' : BOLD, escapeUnseen(String(event))),
    ...Object.entries(fields).map(([key, value]) => `${paint(DIM, `${escapeUnseen(key)}=`)}${valueText(value)}`),
  ];
  return `${parts.join(' ')}\n${errorText(err)}`;
}

function clock(time: string, dated: boolean): string {
  if (dated) return time;
  const at = new Date(time);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return quoted(value.join(','));
  return escapeUnseen(JSON.stringify(value) ?? 'undefined');
}

function quoted(text: string): string {
  return escapeUnseen(/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text));
}

/** The stack of an error: below its event, indented. */
function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { stack, message } = err as { readonly stack?: string; readonly message?: string };
  const lines = (stack ?? message ?? '').split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => `  ${escapeUnseen(line.trimEnd())}\n`).join('');
}
