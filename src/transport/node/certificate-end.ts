// Whom a certificate names and when it ends, for logs and metrics. What cannot be read is left out: the listener has reported it.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CertificateFiles } from './tls-files.ts';

export interface CertificateEnd {
  readonly file: string;
  /** "CN=example.com"; where it has none, the names that it stands for. */
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly endsAt: number;
}

/** Of the first certificate in a file of PEM. */
export function certificateEnd(file: string): CertificateEnd | undefined {
  try {
    const { subject, subjectAltName = '', validTo } = new X509Certificate(readFileSync(file));
    return { file, subject: subject?.replaceAll('\n', ', ') || subjectAltName, endsAt: Date.parse(validTo) };
  } catch {
    return undefined;
  }
}

/** Files of certificates, each once: that for all names, then those by domain. */
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
