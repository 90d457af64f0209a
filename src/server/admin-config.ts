// The section `admin` of the configuration: where the admin listener is, and what it asks for.

import { z } from 'zod';
import { expected, section, text, yesOrNo } from './config-values.ts';
import { type HttpAddress, httpUrl, parseHttpAddress } from './http-address.ts';
import type { TlsFiles } from './http-server.ts';
import { isLoopback } from './listen-address.ts';

export interface AdminConfig {
  readonly listen: HttpAddress;
  /** Whether the token of the data directory is asked for. Off for loopback addresses only. */
  readonly requireToken: boolean;
  readonly tls?: TlsFiles;
}

const address = z.string({ error: (issue) => expected('a text', issue.input) }).transform((value, context) => {
  try {
    return parseHttpAddress(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const keys = z.strictObject(
  {
    listen: address.optional(),
    'require-token': yesOrNo.optional(),
    certificate: text.optional(),
    key: text.optional(),
  },
  section,
);

/** As an address alone, or as a section. */
export const adminSchema = z.preprocess((value) => (typeof value === 'string' ? { listen: value } : value), keys);
/** Names of the section's keys, for "did you mean". */
export const adminKeys = keys.shape;

const DEFAULT_ADMIN_LISTEN: HttpAddress = { scheme: 'http', host: '127.0.0.1', port: 8060 };

/** Undefined where no admin listener is asked for. */
export function fillAdmin(raw: z.output<typeof keys> | undefined): AdminConfig | undefined {
  if (raw === undefined) return undefined;
  const listen = raw.listen ?? DEFAULT_ADMIN_LISTEN;
  return {
    listen,
    requireToken: raw['require-token'] ?? !isLoopback(listen.host),
    ...(raw.certificate !== undefined && raw.key !== undefined
      ? { tls: { certificate: raw.certificate, key: raw.key } }
      : {}),
  };
}

/** What the fields say together that cannot be: path below `admin`, and why. */
export function adminFaults(admin: AdminConfig | undefined): [path: string[], fault: string][] {
  if (admin === undefined) return [];
  const { listen, requireToken, tls } = admin;
  if (listen.scheme === 'https' && tls === undefined) {
    return [[['listen'], `${httpUrl(listen)} needs a certificate: set admin.certificate and admin.key (files in PEM)`]];
  }
  if (!requireToken && !isLoopback(listen.host)) {
    return [[['require-token'], `${httpUrl(listen)} can be reached from other machines, so the token is needed there`]];
  }
  return [];
}
