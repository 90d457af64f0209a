// The listeners' certificates, for a scrape: a changed file is read again, as the listeners do.

import { statSync } from 'node:fs';
import { type CertificateEnd, certificateEnd, certificateFiles } from '../../transport/node/certificate-end.ts';
import type { Config } from '../config/config.ts';

export class Certificates {
  private known = new Map<string, { readonly changed: number; readonly end: CertificateEnd | undefined }>();

  read({ tls, admin }: Pick<Config, 'tls' | 'admin'>): CertificateEnd[] {
    const files = [...(tls ? certificateFiles(tls) : []), ...(admin?.tls ? [admin.tls.certificate] : [])];
    const before = this.known;
    this.known = new Map();
    for (const file of files) {
      const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      const last = before.get(file);
      // An unreadable file changes nothing: its former content is still in force.
      this.known.set(file, last?.changed === changed ? last : { changed, end: certificateEnd(file) ?? last?.end });
    }
    return [...this.known.values()].flatMap(({ end }) => end ?? []);
  }
}
