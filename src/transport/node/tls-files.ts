// The certificates that a TLS listener shows its clients and its demands on theirs, as files and words. The listeners
// read them.

/** A certificate chain and its key. */
export interface CertificateFiles {
  /** PEM: the certificate, then those up to a known authority. */
  readonly certFile: string;
  /** PEM. */
  readonly keyFile: string;
}

export interface TlsFiles extends CertificateFiles {
  /** By domain: certificates for clients that ask for it by name (SNI). */
  readonly domains?: Readonly<Record<string, CertificateFiles>>;
  /** PEM: the authorities of accepted client certificates. */
  readonly caFile?: string;
  /** Whether clients are asked for a certificate, and whether they must have one. Without `caFile`: none. */
  readonly clientCertificates?: 'none' | 'optional' | 'required';
  /** Domains (RFC 5922) whose certificates make a client a trusted proxy, which vouches for its users. */
  readonly trustedDomains?: readonly string[];
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}
