// What a listener with TLS shows its clients, as files: certificate chain and key. Reading them is the listeners' own.

export interface TlsFiles {
  /** PEM: the certificate, then those that lead up to a known one. */
  readonly certFile: string;
  /** PEM. */
  readonly keyFile: string;
}
