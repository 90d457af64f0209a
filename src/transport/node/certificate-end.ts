// The subject of a certificate and its end of validity, for logs and metrics. Unreadable ones are left out: the listener has
// reported them.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CertificateFiles } from './tls-files.ts';

export interface CertificateEnd {
  readonly file: string;
  /** "CN=example.com"; without one, its alternative names. */
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly endsAt: number;
}

/** The first certificate in a PEM file. */
export function certificateEnd(file: string): CertificateEnd | undefined {
  try {
    const { subject, subjectAltName = '', validTo } = new X509Certificate(readFileSync(file));
    return { file, subject: subject?.replaceAll('\n', ', ') || subjectAltName, endsAt: Date.parse(validTo) };
  } catch {
    return undefined;
  }
}

/** Files of certificates, each once: the default one, then those by domain. */
export function certificateFiles(
  files: CertificateFiles & { domains?: Readonly<Record<string, CertificateFiles>> },
): string[] {
  return [...new Set([files.certFile, ...Object.values(files.domains ?? {}).map(({ certFile }) => certFile)])];
}

/** For the log: "CN=example.com until 2027-01-31T00:00:00.000Z". */
export function shownCertificates(files: Parameters<typeof certificateFiles>[0]): string[] {
  return certificateFiles(files)
    .flatMap((file) => certificateEnd(file) ?? [])
    .map(({ subject, endsAt }) => `${subject} until ${new Date(endsAt).toISOString()}`);
}
