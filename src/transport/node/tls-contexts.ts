// Certificates and keys of TLS listeners, by the name that a client asks for (SNI). They are read from files, and again when
// those change: open connections keep their certificates. The configuration names the files.

import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { shownCertificates } from './certificate-end.ts';
import type { TlsFiles } from './tls-files.ts';

/** Interval of looking at the files. */
export const RELOAD_CHECK_MS = 5000;

/** Ephemeral keys and authenticated encryption only; TLS 1.3 has nothing else (RFC 9325 §4.2). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':');

export class TlsContexts {
  /** Options for a client that names no domain, or one without a certificate of its own. */
  options: SecureContextOptions;
  private readonly files: TlsFiles;
  private contexts: ReadonlyMap<string, SecureContext>;
  private fallback: SecureContext;
  private stamps: string;

  /** Throws an Error that names the file which cannot be read, or does not fit its key. */
  constructor(files: TlsFiles) {
    this.files = files;
    this.stamps = stampsOf(files);
    this.options = read(files, files.certFile, files.keyFile);
    this.fallback = context(this.options, files.certFile);
    this.contexts = readDomains(files);
  }

  /** The context for a server name, in any case of letters; the default for a name that is none of ours. */
  of(name: string): SecureContext {
    return this.contexts.get(name.toLowerCase().replace(/\.$/, '')) ?? this.fallback;
  }

  /** For the log: the certificates' subjects, and their ends of validity. */
  get shown(): readonly string[] {
    return shownCertificates(this.files);
  }

  /** Whether a file has changed since it was read. */
  get stale(): boolean {
    return stampsOf(this.files) !== this.stamps;
  }

  /** Reads all files again. Throws as the constructor does; then the former contexts stay valid. */
  reload(): void {
    const stamps = stampsOf(this.files);
    this.stamps = stamps; // also of unreadable files: they are tried again when they change
    const options = read(this.files, this.files.certFile, this.files.keyFile);
    const fallback = context(options, this.files.certFile);
    const contexts = readDomains(this.files);
    this.options = options;
    this.fallback = fallback;
    this.contexts = contexts;
  }
}

function readDomains(files: TlsFiles): ReadonlyMap<string, SecureContext> {
  const { domains = {} } = files;
  return new Map(
    Object.entries(domains).map(([name, { certFile, keyFile }]) => {
      return [name.toLowerCase(), context(read(files, certFile, keyFile), certFile)];
    }),
  );
}

function read(files: TlsFiles, certFile: string, keyFile: string): SecureContextOptions {
  return {
    cert: readFile(certFile, 'certificate'),
    key: readFile(keyFile, 'key'),
    ...(files.caFile !== undefined && { ca: readFile(files.caFile, 'certificates of authorities') }),
    minVersion: files.minVersion ?? 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
  };
}

function context(options: SecureContextOptions, certFile: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    throw tlsError(`certificate and key do not go together, or are no PEM (${(error as Error).message}): ${certFile}`);
  }
}

function readFile(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw tlsError(`cannot read the ${what}: ${file} (${code === 'ENOENT' ? 'no such file' : message})`);
  }
}

function tlsError(message: string): Error {
  const error: NodeJS.ErrnoException = new Error(message);
  error.code = 'ETLS';
  return error;
}

function stampsOf({ certFile, keyFile, caFile, domains = {} }: TlsFiles): string {
  const files = [
    certFile,
    keyFile,
    caFile,
    ...Object.values(domains).flatMap((domain) => [domain.certFile, domain.keyFile]),
  ];
  return files
    .map((file) => {
      if (file === undefined) return '';
      try {
        const { mtimeMs, size, ino } = statSync(file);
        return `${mtimeMs}/${size}/${ino}`;
      } catch {
        return 'none';
      }
    })
    .join(' ');
}
