// The log: one line per event worth waking for, JSON for programs or text for people. Nothing per message.

import { pino } from 'pino';
import { logText, type TextStyle } from './log-text.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
/** `auto`: text on a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'text' | 'json';

/** Writes one event. Events are short fixed texts; what varies stands in the fields. */
export interface Log {
  (level: 'info' | 'warn' | 'error' | 'fatal', event: string, fields?: Record<string, unknown>): void;
  /** Writes events of this level and above from now on. */
  setLevel?(level: LogLevel): void;
}

/**
 * @param write takes one whole event, its line end included
 * @param style of the text; undefined: JSON
 */
export function createLog(level: LogLevel, write: (line: string) => void, style?: TextStyle): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: style === undefined ? write : (json: string) => write(logText(json, style)) },
  );
  const log: Log = (eventLevel, event, fields = {}) => logger[eventLevel](fields, event);
  log.setLevel = (next) => {
    logger.level = next;
  };
  return log;
}

/** How the log is written to a stream; undefined: as JSON. Colours only where NO_COLOR, FORCE_COLOR and TERM let a terminal have them. */
export function styleFor(format: LogFormat, out: NodeJS.WriteStream): TextStyle | undefined {
  if (format === 'json' || (format === 'auto' && !out.isTTY)) return undefined;
  return { colors: out.isTTY && out.hasColors(), dated: !out.isTTY };
}
