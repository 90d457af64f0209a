// The part `tls` of the configuration: impossible combinations of its options.

import type { TlsFiles } from '../../../transport/node/tls-files.ts';
import type { Fault } from '../config-problem.ts';

/** Faults of TLS options that are each right alone; paths below `tls`. */
export function tlsFaults(files: TlsFiles | undefined): Fault[] {
  if (files === undefined || files.caFile !== undefined) return [];
  const wantsClients = files.clientCertificates !== undefined && files.clientCertificates !== 'none';
  if (!wantsClients && (files.trustedDomains ?? []).length === 0) return [];
  const path = [wantsClients ? 'client-certificates' : 'trusted-domains'];
  return [{ path, text: (spell) => `needs ${spell('tls.ca', 'FILE')}: the authorities that count` }];
}
