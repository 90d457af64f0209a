// The section `admin` of the configuration: where the admin listener is, and what it asks for.

import { z } from 'zod';
import type { TlsFiles } from '../../http/http-server.ts';
import type { Fault } from '../config-problem.ts';
import { parsed, section, text, yesOrNo } from '../config-values.ts';
import { type HttpAddress, httpUrl, parseHttpAddress } from '../http-address.ts';
import { isLoopback } from '../listener-text.ts';

export interface AdminConfig {
  readonly listen: HttpAddress;
  /** Whether the token of the data directory is asked for. Off for loopback addresses only. */
  readonly requireToken: boolean;
  readonly tls?: TlsFiles;
}

const keys = z.strictObject(
  {
    listen: parsed(parseHttpAddress).optional(),
    'require-token': yesOrNo.optional(),
    certificate: text.optional(),
    key: text.optional(),
  },
  section,
);

/** As an address alone, or as a section. */
export const adminSchema = z.preprocess(
  (value: string | z.input<typeof keys>) => (typeof value === 'string' ? { listen: value } : value),
  keys,
);

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

/** What the fields say together that cannot be; paths below `admin`. */
export function adminFaults(admin: AdminConfig | undefined): Fault[] {
  if (admin === undefined) return [];
  const { listen, requireToken, tls } = admin;
  if (listen.scheme === 'https' && tls === undefined) {
    const text: Fault['text'] = (spell) =>
      `${httpUrl(listen)} needs a certificate: add ${spell('admin.certificate', 'FILE')} and ${spell('admin.key', 'FILE')} (in PEM)`;
    return [{ path: ['listen'], text }];
  }
  if (!requireToken && !isLoopback(listen.host)) {
    const text = `${httpUrl(listen)} can be reached from other machines, so the token is needed there`;
    return [{ path: ['require-token'], text }];
  }
  return [];
}
