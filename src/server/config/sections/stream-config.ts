// The sections `connections` and `tls` of the configuration: stream-policy.ts and tls-files.ts under their names in the file.

import { z } from 'zod';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../../../transport/flow/stream-policy.ts';
import type { CertificateFiles, TlsFiles } from '../../../transport/node/tls-files.ts';
import type { Fault } from '../config-problem.ts';
import { anyOf, bytes, choice, integer, seconds, section, text } from '../config-values.ts';

const connections = z.strictObject(
  {
    max: integer(1, 4_000_000).optional(),
    'per-source': integer(1, 4_000_000).optional(),
    'idle-seconds': seconds(1, 86_400).optional(),
    'message-seconds': seconds(1, 300).optional(),
    'unsent-bytes': bytes(65_536, 1 << 26).optional(),
    'header-bytes': bytes(512, 65_535).optional(),
    'incomplete-bytes': bytes(1 << 20, 2 ** 40).optional(),
  },
  section,
);
const certificate = z.strictObject({ cert: text, key: text }, section);
const tls = z.strictObject(
  {
    cert: text.optional(),
    key: text.optional(),
    ca: text.optional(),
    'client-certificates': choice('none', 'optional', 'required').optional(),
    'trusted-domains': anyOf((name) => name.toLowerCase()).optional(),
    'min-version': choice('1.2', '1.3').optional(),
    domains: z.record(z.string(), certificate, section).optional(),
  },
  section,
);

export const connectionsSchema = connections;
export const tlsSchema = tls;

export function fillStreams(raw: z.output<typeof connections>): StreamPolicy {
  const d = DEFAULT_STREAM_POLICY;
  return {
    connectionsMax: raw.max ?? d.connectionsMax,
    connectionsPerSourceMax: raw['per-source'] ?? d.connectionsPerSourceMax,
    idleMs: raw['idle-seconds'] === undefined ? d.idleMs : raw['idle-seconds'] * 1000,
    messageMs: raw['message-seconds'] === undefined ? d.messageMs : raw['message-seconds'] * 1000,
    unsentBytesMax: raw['unsent-bytes'] ?? d.unsentBytesMax,
    headBytesMax: raw['header-bytes'] ?? d.headBytesMax,
    incompleteBytesMax: raw['incomplete-bytes'] ?? d.incompleteBytesMax,
  };
}

/** Undefined where there is no certificate with its key, and so no TLS. */
export function fillTls(raw: z.output<typeof tls>): TlsFiles | undefined {
  if (raw.cert === undefined || raw.key === undefined) return undefined;
  const version = raw['min-version'];
  return {
    certFile: raw.cert,
    keyFile: raw.key,
    ...(raw.ca !== undefined && { caFile: raw.ca }),
    ...(raw['client-certificates'] && { clientCertificates: raw['client-certificates'] }),
    ...(raw['trusted-domains'] && { trustedDomains: raw['trusted-domains'] }),
    ...(version && { minVersion: version === '1.3' ? ('TLSv1.3' as const) : ('TLSv1.2' as const) }),
    ...(raw.domains && { domains: fillDomains(raw.domains) }),
  };
}

function fillDomains(raw: Readonly<Record<string, z.output<typeof certificate>>>): Record<string, CertificateFiles> {
  return Object.fromEntries(
    Object.entries(raw).map(([name, { cert, key }]) => [name.toLowerCase(), { certFile: cert, keyFile: key }]),
  );
}

/** What is wrong with TLS options that are each right; paths below `tls`. */
export function tlsFaults(files: TlsFiles | undefined): Fault[] {
  if (files === undefined || files.caFile !== undefined) return [];
  const wantsClients = files.clientCertificates !== undefined && files.clientCertificates !== 'none';
  if (!wantsClients && (files.trustedDomains ?? []).length === 0) return [];
  const path = [wantsClients ? 'client-certificates' : 'trusted-domains'];
  return [{ path, text: (spell) => `needs ${spell('tls.ca', 'FILE')}: the authorities that count` }];
}

/** As it stands in the file. */
export function effectiveStreams(policy: StreamPolicy): Record<string, unknown> {
  return {
    max: policy.connectionsMax,
    'per-source': policy.connectionsPerSourceMax,
    'idle-seconds': policy.idleMs / 1000,
    'message-seconds': policy.messageMs / 1000,
    'unsent-bytes': policy.unsentBytesMax,
    'header-bytes': policy.headBytesMax,
    'incomplete-bytes': policy.incompleteBytesMax,
  };
}

/** As it stands in the file. */
export function effectiveTls(files: TlsFiles): Record<string, unknown> {
  const { certFile, keyFile, caFile, clientCertificates, trustedDomains, minVersion, domains } = files;
  return {
    cert: certFile,
    key: keyFile,
    ...(caFile && { ca: caFile }),
    ...(clientCertificates && { 'client-certificates': clientCertificates }),
    ...(trustedDomains && { 'trusted-domains': trustedDomains }),
    ...(minVersion && { 'min-version': minVersion.slice('TLSv'.length) }),
    ...(domains && {
      domains: Object.fromEntries(
        Object.entries(domains).map(([name, files]) => [name, { cert: files.certFile, key: files.keyFile }]),
      ),
    }),
  };
}
