// What a listener with TLS shows its clients and asks of them, as files and words. Reading them is the listeners' own.

/** A certificate chain and its key. */
export interface CertificateFiles {
  /** PEM: the certificate, then those that lead up to a known one. */
  readonly certFile: string;
  /** PEM. */
  readonly keyFile: string;
}

export interface TlsFiles extends CertificateFiles {
  /** By domain: what clients get that ask for it by name (SNI). */
  readonly domains?: Readonly<Record<string, CertificateFiles>>;
  /** PEM: authorities whose client certificates count. */
  readonly caFile?: string;
  /** Whether clients are asked for a certificate, and whether they must have one. Without `caFile`: none. */
  readonly clientCertificates?: 'none' | 'optional' | 'required';
  /** Domains (RFC 5922) whose certificates make a client a trusted proxy, which vouches for its users. */
  readonly trustedDomains?: readonly string[];
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}
