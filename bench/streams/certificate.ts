// A certificate for localhost and its key, as files, for servers that are measured.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export function makeCertificate(directory: string, kind = 'ec'): Certificate {
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  const key = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const files = ['-keyout', keyFile, '-out', certFile, '-subj', '/CN=localhost'];
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', '-newkey', ...key, ...files], { stdio: 'ignore' });
  return { certFile, keyFile };
}
