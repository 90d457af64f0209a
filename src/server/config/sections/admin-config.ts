// The part `admin` of the configuration: the admin listener's address, and its access.

import type { TlsFiles } from '../../http/http-server.ts';
import type { Fault } from '../config-problem.ts';
import { type HttpAddress, httpUrl } from '../http-address.ts';
import { isLoopback } from '../listener-text.ts';

export interface AdminConfig {
  readonly listen: HttpAddress;
  /** Whether the token of the data directory is required. Off for loopback addresses only. */
  readonly requireToken: boolean;
  readonly tls?: TlsFiles;
}

/** The address of a section without one. */
export const DEFAULT_ADMIN_LISTEN: HttpAddress = { scheme: 'http', host: '127.0.0.1', port: 8060 };

/** Impossible combinations of the fields; paths below `admin`. */
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
