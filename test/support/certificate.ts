// Certificates for tests: self-signed, by default for localhost and 127.0.0.1, in a directory that goes with the test's.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** @param names for which it is, as in subjectAltName */
export function selfSigned(
  name = 'localhost',
  days = 30,
  names = `DNS:${name},DNS:localhost,IP:127.0.0.1`,
): Certificate {
  const directory = temporaryDirectory();
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  execFileSync(
    'openssl',
    // biome-ignore format: a command line
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days), '-keyout', keyFile,
      '-out', certFile, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile };
}
