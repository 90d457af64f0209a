// The log: one line per event worth waking for, JSON for programs or text for people. Nothing per message.

import { logText, type TextStyle } from './log-text.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
/** `auto`: text on a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'text' | 'json';

/** Writes one event. Events are short fixed texts; fields hold the variable parts. */
export interface Log {
  (level: 'info' | 'warn' | 'error' | 'fatal', event: string, fields?: Record<string, unknown>): void;
  /** Writes events of this level and above from now on. */
  setLevel?(level: LogLevel): void;
}

/** Weight of each level. */
const WEIGHTS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Number.POSITIVE_INFINITY };

/**
 * @param write takes one whole event, its line end included
 * @param style of the text; undefined: JSON
 */
export function createLog(level: LogLevel, write: (line: string) => void, style?: TextStyle): Log {
  let least = WEIGHTS[level];
  const log: Log = (eventLevel, event, fields) => {
    if (WEIGHTS[eventLevel] < least) return;
    const json = jsonLine({ level: eventLevel, time: new Date().toISOString(), ...fields, event });
    write(style === undefined ? json : logText(json, style));
  };
  log.setLevel = (next) => {
    least = WEIGHTS[next];
  };
  return log;
}

function jsonLine(event: Record<string, unknown>): string {
  return `${JSON.stringify(event, (_, value: unknown) => plain(value))}\n`;
}

/** A value for JSON, which has no errors and no bigints. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, code, cause } = value as NodeJS.ErrnoException;
  return { type: name, message, stack, code, cause };
}

/** The style of the log on a stream; undefined: JSON. Colours only where NO_COLOR, FORCE_COLOR and TERM let a terminal have them. */
export function styleFor(format: LogFormat, out: NodeJS.WriteStream): TextStyle | undefined {
  if (format === 'json' || (format === 'auto' && !out.isTTY)) return undefined;
  return { colors: out.isTTY && out.hasColors(), dated: !out.isTTY };
}
