// The log: structured JSON, one line per event worth waking for, to stderr. Nothing per message.

import { pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Writes one event. Events are short fixed texts; what varies stands in the fields. */
export interface Log {
  (level: 'info' | 'warn' | 'error' | 'fatal', event: string, fields?: Record<string, unknown>): void;
  /** Writes events of this level and above from now on. */
  setLevel?(level: LogLevel): void;
}

/** @param write takes one whole line, its line end included */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const log: Log = (eventLevel, event, fields = {}) => logger[eventLevel](fields, event);
  log.setLevel = (next) => {
    logger.level = next;
  };
  return log;
}
