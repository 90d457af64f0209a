// The section `hep` of the configuration: where copies of messages go, and of how many AORs.

import { isIP } from 'node:net';
import { z } from 'zod';
import { expected, integer, section, text } from '../config-values.ts';

export interface HepConfig {
  /** IP address and UDP port of the collector. */
  readonly host: string;
  readonly port: number;
  /** Percent of all AORs whose messages are sent, 0 to 100; traced ones are sent anyway. */
  readonly samplePercent: number;
  readonly captureId: number;
  readonly authKey?: string;
}

const PORT = 9060;

const schema = z.strictObject(
  {
    to: z
      .string({ error: (issue) => expected('an address such as 192.0.2.9:9060', issue.input) })
      .transform((value, context) => {
        const parts = /^(?:udp:)?(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(value);
        const host = parts?.[1].replace(/^\[|\]$/g, '') ?? '';
        const port = Number(parts?.[2] ?? PORT);
        if (isIP(host) === 0 || port < 1 || port > 65_535) {
          context.addIssue({ code: 'custom', message: expected('an address such as 192.0.2.9:9060', value) });
          return z.NEVER;
        }
        return { host, port };
      }),
    sample: integer(0, 100).optional(),
    'capture-id': integer(0, 2 ** 32 - 1).optional(),
    'auth-key': text.optional(),
  },
  section,
);

export const hepSchema = schema;

export function fillHep(raw: z.output<typeof schema>): HepConfig {
  return {
    ...raw.to,
    samplePercent: raw.sample ?? 100,
    captureId: raw['capture-id'] ?? 2001,
    ...(raw['auth-key'] !== undefined && { authKey: raw['auth-key'] }),
  };
}
